import { concatBytes, constantTimeEqual } from '@sefleet/bytes';
import type { CommandApdu } from '../apdu/command-apdu.ts';
import type { ResponseApdu } from '../apdu/response-apdu.ts';
import { plainClass, secureClass } from '../apdu/class-byte.ts';
import { aesCmac } from '../crypto/aes-cmac.ts';
import {
  AES_BLOCK,
  ZERO_BLOCK,
  aesCbcDecrypt,
  aesCbcEncrypt,
  aesEcbEncrypt,
  padIso,
  unpadIso,
} from '../crypto/aes.ts';
import { globalPlatformError } from '../errors.ts';
import { isProcessed } from '../status-word.ts';
import type { SessionKeys } from './scp03-keys.ts';
import { C_DECRYPTION, C_MAC, R_ENCRYPTION, R_MAC } from './security-level.ts';

const RESPONSE_COUNTER_MARK = 0x80;
const SHORT_MAX_LE = 0x100;

/** Where a session stands after a command: what the response to it is checked and read with. */
export interface MessagingPosition {
  readonly chain: Uint8Array;
  readonly counter: number;
}

/**
 * The secure messaging of SCP03 (GPC_SPE_014 §6.2.4 to §6.2.7), which SCP11 uses as well: one object per
 * session, on the host with `wrapCommand` and `unwrapResponse`, on the card with `unwrapCommand` and
 * `wrapResponse`.
 */
export class SecureMessaging {
  readonly keys: SessionKeys;
  readonly macLength: 8 | 16;
  #level: number;
  #chain: Uint8Array;
  #counter = 0;

  /**
   * @param macLength Bytes of a MAC on the wire: 8, or 16 in S16 mode.
   * @param level Security level at the start; `C_MAC` until EXTERNAL AUTHENTICATE raises it.
   * @param chain Initial MAC chaining value: zeros in SCP03, the receipt in SCP11.
   */
  constructor(keys: SessionKeys, macLength: 8 | 16, level: number, chain: Uint8Array = ZERO_BLOCK) {
    this.keys = keys;
    this.macLength = macLength;
    this.#level = level;
    this.#chain = chain;
  }

  /** The current security level. */
  get level(): number {
    return this.#level;
  }

  /** After the last command: to be kept for its response when others are wrapped before that arrives. */
  get position(): MessagingPosition {
    return { chain: this.#chain, counter: this.#counter };
  }

  /** Sets the level that EXTERNAL AUTHENTICATE agreed on, for the commands that follow it. */
  begin(level: number): void {
    this.#level = level;
    this.#counter = 0;
  }

  /** Host: the command as it travels. */
  wrapCommand(command: CommandApdu): CommandApdu {
    if ((this.#level & C_MAC) === 0) return command;
    const body = this.#encryptCommand(command.data);
    const cla = secureClass(command.cla);
    const mac = this.#commandMac(cla, command, body);
    this.#chain = mac;
    return { ...command, cla, data: concatBytes(body, mac.subarray(0, this.macLength)) };
  }

  /**
   * Card: the command under the protection, or undefined when its MAC or padding is wrong. The caller ends
   * the session then; nothing of the object may be used afterwards.
   */
  unwrapCommand(command: CommandApdu): CommandApdu | undefined {
    const bodyLength = command.data.length - this.macLength;
    if (bodyLength < 0) return undefined;
    const body = command.data.subarray(0, bodyLength);
    const mac = this.#commandMac(command.cla, command, body);
    if (!constantTimeEqual(mac.subarray(0, this.macLength), command.data.subarray(bodyLength)))
      return undefined;
    this.#chain = mac;
    const data = this.#decryptCommand(body);
    return data === undefined ? undefined : { ...command, data };
  }

  /** Card: the response as it travels. Errors carry neither data nor MAC (GPC_SPE_014 §6.2.5). */
  wrapResponse(response: ResponseApdu): ResponseApdu {
    if (!isProcessed(response.sw)) return { data: new Uint8Array(0), sw: response.sw };
    if ((this.#level & R_MAC) === 0) return response;
    const body = this.#cryptResponse(response.data, 'encrypt', this.position) ?? response.data;
    const mac = this.#responseMac(body, response.sw, this.#chain);
    return { data: concatBytes(body, mac.subarray(0, this.macLength)), sw: response.sw };
  }

  /**
   * Host: the response under the protection.
   *
   * @param at {@link SecureMessaging.position} after its command was wrapped; without it, that is the last
   * @throws SefleetError `GP_RESPONSE_MAC_INVALID`; the session is over then.
   */
  unwrapResponse(response: ResponseApdu, at: MessagingPosition = this.position): ResponseApdu {
    if (!isProcessed(response.sw) || (this.#level & R_MAC) === 0) return response;
    const bodyLength = response.data.length - this.macLength;
    const body = response.data.subarray(0, Math.max(0, bodyLength));
    const mac = this.#responseMac(body, response.sw, at.chain).subarray(0, this.macLength);
    if (bodyLength < 0 || !constantTimeEqual(mac, response.data.subarray(bodyLength))) {
      throw globalPlatformError('GP_RESPONSE_MAC_INVALID', 'the response MAC does not verify');
    }
    const data = this.#cryptResponse(body, 'decrypt', at);
    if (data === undefined) {
      throw globalPlatformError('GP_RESPONSE_MAC_INVALID', 'the padding of an encrypted response is wrong');
    }
    return { data, sw: response.sw };
  }

  #encryptCommand(data: Uint8Array): Uint8Array {
    this.#counter++;
    if ((this.#level & C_DECRYPTION) === 0 || data.length === 0) return data;
    return aesCbcEncrypt(this.keys.enc, this.#iv(0, this.#counter), padIso(data));
  }

  #decryptCommand(body: Uint8Array): Uint8Array | undefined {
    this.#counter++;
    if ((this.#level & C_DECRYPTION) === 0 || body.length === 0) return body;
    if (body.length % AES_BLOCK !== 0) return undefined;
    return unpadIso(aesCbcDecrypt(this.keys.enc, this.#iv(0, this.#counter), body));
  }

  #cryptResponse(
    data: Uint8Array,
    direction: 'encrypt' | 'decrypt',
    { counter }: MessagingPosition,
  ): Uint8Array | undefined {
    if ((this.#level & R_ENCRYPTION) === 0 || data.length === 0) return data;
    const iv = this.#iv(RESPONSE_COUNTER_MARK, counter);
    if (direction === 'encrypt') return aesCbcEncrypt(this.keys.enc, iv, padIso(data));
    if (data.length % AES_BLOCK !== 0) return undefined;
    return unpadIso(aesCbcDecrypt(this.keys.enc, iv, data));
  }

  #iv(mark: number, counter: number): Uint8Array {
    const block = new Uint8Array(AES_BLOCK);
    block[0] = mark;
    for (let i = AES_BLOCK - 1, rest = counter; rest > 0; i--, rest = Math.floor(rest / 256)) {
      block[i] = rest & 0xff;
    }
    return aesEcbEncrypt(this.keys.enc, block);
  }

  /** The logical channel is no part of what is MACed (GPC_SPE_014 §6.2.4). */
  #commandMac(cla: number, command: CommandApdu, body: Uint8Array): Uint8Array {
    const lc = body.length + this.macLength;
    // Le decides over the form of the length fields although it is not protected itself.
    const extended = command.extended === true || (command.le ?? 0) > SHORT_MAX_LE;
    const head = [plainClass(cla) | 0x04, command.ins, command.p1, command.p2];
    if (extended || lc > 0xff) head.push(0, lc >> 8, lc & 0xff);
    else head.push(lc);
    return aesCmac(this.keys.mac, this.#chain, Uint8Array.from(head), body);
  }

  #responseMac(body: Uint8Array, sw: number, chain: Uint8Array): Uint8Array {
    return aesCmac(this.keys.rmac, chain, body, Uint8Array.of(sw >> 8, sw));
  }
}
