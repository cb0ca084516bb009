import { classForChannel } from '../apdu/class-byte.ts';
import { encodeApdu, type CommandApdu } from '../apdu/command-apdu.ts';
import { decodeResponse, type ResponseApdu } from '../apdu/response-apdu.ts';
import { ZERO_BLOCK, aesCbcEncrypt } from '../crypto/aes.ts';
import { globalPlatformError } from '../errors.ts';
import { isProcessed } from '../status-word.ts';
import type { SecureMessaging } from './secure-messaging.ts';
import { exchange } from './transmit.ts';
import type { CardLink, Trace, Transmit, TransmitScript } from './transmit.ts';

/** A command that has yet to go out before any other, and what has to be made of its answer. */
export interface CommandAhead {
  readonly command: CommandApdu;
  /** @throws SefleetError when the card refused it */
  take(answer: ResponseApdu): void;
}

interface SessionParts {
  readonly transmit: Transmit;
  readonly script?: TransmitScript | undefined;
  readonly messaging: SecureMessaging;
  readonly channel: number;
  readonly keyVersion: number;
  readonly trace: Trace | undefined;
  /** Travels with the first command; only where there is a way for scripts. */
  readonly ahead?: CommandAhead | undefined;
}

/** The host's end of an open secure channel, SCP03 or SCP11: a link whose `transmit` wraps and unwraps. */
export class SecureChannelSession implements CardLink {
  /** The version of the keys that the session was opened with. */
  readonly keyVersion: number;
  readonly #parts: SessionParts;
  #ahead: CommandAhead | undefined;
  #open = true;

  /** Made by `openScp03Session` and `openScp11Session`. */
  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#ahead = parts.ahead;
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
    if (this.#ahead !== undefined) {
      const [answer] = await this.transmitScript([command]);
      if (answer !== undefined) return answer;
      throw globalPlatformError('GP_SESSION_CLOSED', 'the script ended before its command');
    }
    const { transmit, messaging, trace } = this.#parts;
    const wrapped = this.#wrap(command);
    // Whatever fails between here and the verified response leaves both sides with different chaining values.
    this.#open = false;
    const response = messaging.unwrapResponse(await exchange(transmit, wrapped, command, trace));
    this.#open = true;
    return response;
  }

  /**
   * Sends commands that need not wait for each other's answers, in one exchange where the way to the card
   * takes scripts. The MACs of commands chain over commands alone, and each response is checked against its
   * own command (GPC_SPE_014 §6.2.4, §6.2.5), so that all can be wrapped before the first answer.
   *
   * @returns the answers in order. Fewer than the commands: the last of them is a refusal that ended the
   *   script, and the session is over, since what was wrapped behind it never reached the card.
   * @throws SefleetError as {@link SecureChannelSession.transmit}; `GP_STATUS_WORD` when the card answers in
   *   parts (61xx), for which a script leaves no time.
   */
  async transmitScript(commands: readonly CommandApdu[]): Promise<readonly ResponseApdu[]> {
    const { script, messaging } = this.#parts;
    if (script === undefined) return this.#oneByOne(commands);
    const wrapped = commands.map((command) => {
      const bytes = encodeApdu(this.#wrap(command));
      return { command, bytes, position: messaging.position };
    });
    const ahead = this.#ahead;
    this.#ahead = undefined;
    this.#open = false;
    const first = ahead === undefined ? [] : [encodeApdu(ahead.command)];
    const answers = await script([...first, ...wrapped.map(({ bytes }) => bytes)]);
    if (ahead !== undefined) {
      const [accepted] = answers;
      if (accepted === undefined) throw globalPlatformError('GP_SESSION_CLOSED', 'the script was not run');
      this.#trace(ahead.command, encodeApdu(ahead.command), accepted);
      ahead.take(decodeResponse(accepted));
    }
    const responses = answers.slice(first.length).flatMap((answer, i) => {
      const sent = wrapped[i];
      if (sent === undefined) return [];
      this.#trace(sent.command, sent.bytes, answer);
      return [messaging.unwrapResponse(wholeAnswer(answer), sent.position)];
    });
    this.#open = responses.length === commands.length;
    return responses;
  }

  /**
   * Sensitive data for PUT KEY and STORE DATA, encrypted under the session's data encryption key: AES-CBC,
   * initial vector zero, whole blocks (GPC_SPE_014 §6.2.8).
   */
  encryptSensitive(blocks: Uint8Array): Uint8Array {
    return aesCbcEncrypt(this.#parts.messaging.keys.dek, ZERO_BLOCK, blocks);
  }

  #wrap(command: CommandApdu): CommandApdu {
    const { messaging, channel } = this.#parts;
    if (!this.#open)
      throw globalPlatformError('GP_SESSION_CLOSED', 'the secure channel session is over or busy');
    return messaging.wrapCommand({ ...command, cla: classForChannel(command.cla, channel) });
  }

  async #oneByOne(commands: readonly CommandApdu[]): Promise<readonly ResponseApdu[]> {
    const responses: ResponseApdu[] = [];
    for (const command of commands) {
      const response = await this.transmit(command);
      responses.push(response);
      if (!isProcessed(response.sw)) break;
    }
    // As over a way for scripts: whoever gets fewer answers than commands need not ask how they travelled.
    if (responses.length < commands.length) this.#open = false;
    return responses;
  }

  #trace(plain: CommandApdu, command: Uint8Array, response: Uint8Array): void {
    this.#parts.trace?.({ command, response, plain });
  }
}

function wholeAnswer(answer: Uint8Array): ResponseApdu {
  const response = decodeResponse(answer);
  if (response.sw >> 8 !== 0x61) return response;
  throw globalPlatformError('GP_STATUS_WORD', 'an answer inside of a script came in parts (61xx)', {
    context: { sw: response.sw },
  });
}
