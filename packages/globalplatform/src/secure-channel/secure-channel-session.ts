import { classForChannel } from '../apdu/class-byte.ts';
import type { CommandApdu } from '../apdu/command-apdu.ts';
import type { ResponseApdu } from '../apdu/response-apdu.ts';
import { ZERO_BLOCK, aesCbcEncrypt } from '../crypto/aes.ts';
import { globalPlatformError } from '../errors.ts';
import type { SecureMessaging } from './secure-messaging.ts';
import { exchange } from './transmit.ts';
import type { CardLink, Trace, Transmit } from './transmit.ts';

interface SessionParts {
  readonly transmit: Transmit;
  readonly messaging: SecureMessaging;
  readonly channel: number;
  readonly keyVersion: number;
  readonly trace: Trace | undefined;
}

/** The host's end of an open secure channel, SCP03 or SCP11: a link whose `transmit` wraps and unwraps. */
export class SecureChannelSession implements CardLink {
  /** The version of the keys that the session was opened with. */
  readonly keyVersion: number;
  readonly #parts: SessionParts;
  #open = true;

  /** Made by `openScp03Session` and `openScp11Session`. */
  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.keyVersion = parts.keyVersion;
  }

  /** The security level, a combination of the bits in `security-level`. */
  get level(): number {
    return this.#parts.messaging.level;
  }

  /** Length in bytes of the session's MACs: what a wrapped command must leave room for, beside padding. */
  get macLength(): 8 | 16 {
    return this.#parts.messaging.macLength;
  }

  /**
   * Sends one command under secure messaging.
   *
   * @throws SefleetError `GP_RESPONSE_MAC_INVALID`, and `GP_SESSION_CLOSED` from then on; `GP_APDU_TOO_LONG`
   * when the
   *   command with its MAC fits no APDU.
   */
  async transmit(command: CommandApdu): Promise<ResponseApdu> {
    const { transmit, messaging, channel, trace } = this.#parts;
    if (!this.#open)
      throw globalPlatformError('GP_SESSION_CLOSED', 'the secure channel session is over or busy');
    const wrapped = messaging.wrapCommand({ ...command, cla: classForChannel(command.cla, channel) });
    // Whatever fails between here and the verified response leaves both sides with different chaining values.
    this.#open = false;
    const response = messaging.unwrapResponse(await exchange(transmit, wrapped, command, trace));
    this.#open = true;
    return response;
  }

  /**
   * Sensitive data for PUT KEY and STORE DATA, encrypted under the session's data encryption key: AES-CBC,
   * initial vector zero, whole blocks (GPC_SPE_014 §6.2.8).
   */
  encryptSensitive(blocks: Uint8Array): Uint8Array {
    return aesCbcEncrypt(this.#parts.messaging.keys.dek, ZERO_BLOCK, blocks);
  }
}
