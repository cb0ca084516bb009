import {
  C_DECRYPTION,
  decodeApdu,
  decodeClassByte,
  decodeTlvs,
  findTlv,
  INS,
  R_ENCRYPTION,
  STATUS_WORD,
} from '@sefleet/globalplatform';
import type { CommandApdu } from '@sefleet/globalplatform';
import { IOT_SAFE_INS } from '../applets/iot-safe/iot-safe-protocol.ts';
import { MEASURING_COMMAND } from '../applets/measuring/measuring-protocol.ts';

/** An exchange without what must not be seen. */
export interface ShownExchange {
  /** The command APDU; its first four bytes alone when data are left out. */
  readonly command: Uint8Array;
  readonly hiddenCommandBytes: number;
  /** The response APDU; its status word alone when data are left out. */
  readonly response: Uint8Array;
  readonly hiddenResponseBytes: number;
}

const HEADER_BYTES = 4;
const STATUS_BYTES = 2;

/** Which data of an exchange are shown. */
interface Openness {
  readonly command: boolean;
  readonly response: boolean;
}

const NEITHER: Openness = { command: false, response: false };

/**
 * Instructions whose data hold no secret when they come in the clear. Whatever is not here is left out: PINs
 * (VERIFY), personalisation (STORE DATA), secrets given to COMPUTE PRF and HKDF, and what those and READ
 * BINARY, READ FILE and GET RANDOM answer. PUT KEY carries keys under the data encryption key.
 */
const OPEN: ReadonlyMap<number, Openness> = new Map<number, Openness>([
  ...[
    INS.SELECT,
    INS.MANAGE_CHANNEL,
    INS.GET_DATA,
    INS.INITIALIZE_UPDATE,
    INS.EXTERNAL_AUTHENTICATE,
    INS.INTERNAL_AUTHENTICATE,
    INS.PUT_KEY,
    INS.INSTALL,
    INS.LOAD,
    INS.DELETE,
    INS.GET_STATUS,
    INS.SET_STATUS,
    IOT_SAFE_INS.GET_DATA,
    IOT_SAFE_INS.READ_PUBLIC_KEY,
    IOT_SAFE_INS.GENERATE_KEY_PAIR,
    IOT_SAFE_INS.COMPUTE_SIGNATURE_INIT,
    IOT_SAFE_INS.COMPUTE_SIGNATURE_UPDATE,
    IOT_SAFE_INS.VERIFY_SIGNATURE_INIT,
    IOT_SAFE_INS.VERIFY_SIGNATURE_UPDATE,
    MEASURING_COMMAND.STATUS,
    MEASURING_COMMAND.CLEAR,
  ].map((ins) => [ins, { command: true, response: true }] as const),
  // The point of the other side is public; what the two come to is not.
  [IOT_SAFE_INS.COMPUTE_DH, { command: true, response: false }],
  [IOT_SAFE_INS.READ_FILE, { command: true, response: false }],
  [IOT_SAFE_INS.GET_RANDOM, { command: true, response: false }],
  // Readings in, sealed records out.
  [MEASURING_COMMAND.SEAL, { command: false, response: true }],
  [MEASURING_COMMAND.HAND_OVER, { command: false, response: true }],
  [INS.STORE_DATA, { command: false, response: true }],
]);

/** What one logical channel was seen to do. */
interface SeenChannel {
  /** The security level of its session, as far as it was seen to begin. */
  level: number;
  /** Whether GET RESPONSE goes on with an answer that is shown. */
  shown: boolean;
}

/**
 * Leaves out of a card's exchanges what is secret in the clear; what is ciphered stays as it is. It follows
 * sessions as it sees them begin: what it cannot know to be ciphered it takes for clear.
 *
 * @example
 * const mask = new SecretMask();
 * const { command, response } = mask.show(commandApdu, responseApdu);
 */
export class SecretMask {
  readonly #channels = new Map<number, SeenChannel>();

  /** One exchange of the card, in order. */
  show(command: Uint8Array, response: Uint8Array): ShownExchange {
    const decoded = decode(command);
    const { channel: number = 0, secure = false } = decodeClassByte(command[0] ?? 0xff) ?? {};
    const channel = this.#channels.get(number) ?? { level: 0, shown: false };
    this.#channels.set(number, channel);
    const open = decoded === undefined ? NEITHER : openness(decoded, channel);
    const isSecured = secure && decoded !== undefined;
    const showCommand = open.command || (isSecured && (channel.level & C_DECRYPTION) !== 0);
    const showResponse = open.response || (isSecured && (channel.level & R_ENCRYPTION) !== 0);
    channel.shown = showResponse;
    if (decoded !== undefined) this.#follow(channel, decoded, secure, response);
    const body = response.length - STATUS_BYTES;
    return {
      command: (showCommand ? command : command.subarray(0, HEADER_BYTES)).slice(),
      hiddenCommandBytes: showCommand ? 0 : (decoded?.data.length ?? command.length - HEADER_BYTES),
      response: (showResponse ? response : response.subarray(body)).slice(),
      hiddenResponseBytes: showResponse ? 0 : body,
    };
  }

  /** The card lost power: no session is open. */
  reset(): void {
    this.#channels.clear();
  }

  /** Which level the session has after this exchange. */
  #follow(channel: SeenChannel, command: CommandApdu, secure: boolean, response: Uint8Array): void {
    const sw = ((response.at(-2) ?? 0) << 8) | (response.at(-1) ?? 0);
    const isDone = sw === STATUS_WORD.OK || sw === STATUS_WORD.SELECTED_LOCKED || sw >> 8 === 0x61;
    const { ins } = command;
    if (sw === STATUS_WORD.SECURITY_STATUS_NOT_SATISFIED || ins === INS.INITIALIZE_UPDATE) channel.level = 0;
    else if (!isDone) return;
    else if (ins === INS.SELECT && !secure) channel.level = 0;
    else if (ins === INS.EXTERNAL_AUTHENTICATE && secure) channel.level = command.p1;
    else if (ins === INS.EXTERNAL_AUTHENTICATE || ins === INS.INTERNAL_AUTHENTICATE)
      channel.level = scp11Level(command.data);
    else if (ins === INS.MANAGE_CHANNEL) this.#manage(command, response);
  }

  /** A channel that is closed or opened has no session. */
  #manage({ p1, p2 }: CommandApdu, response: Uint8Array): void {
    const opened = p2 === 0 && response.length > STATUS_BYTES ? response[0] : p2;
    if (p1 === 0x80 || opened !== undefined) this.#channels.delete(opened ?? p2);
  }
}

function openness(command: CommandApdu, channel: SeenChannel): Openness {
  const { cla, ins, p1, p2 } = command;
  if (ins === INS.GET_RESPONSE) return { command: true, response: channel.shown };
  // Trouble codes of a vehicle: a reading, under the number of a signature.
  const isReport = ins === MEASURING_COMMAND.REPORT && (cla & 0x80) !== 0 && p1 === 0 && p2 === 0;
  return isReport ? { command: false, response: true } : (OPEN.get(ins) ?? NEITHER);
}

/** The level that the usage in a key agreement asks for (GPC_SPE_093 §7.6): 3C with ciphers, 34 without. */
function scp11Level(data: Uint8Array): number {
  try {
    const template = findTlv(decodeTlvs(data), 0xa6);
    const usage = template === undefined ? undefined : findTlv(decodeTlvs(template), 0x95);
    return usage?.[0] === 0x3c ? C_DECRYPTION | R_ENCRYPTION : 0;
  } catch {
    return 0;
  }
}

function decode(command: Uint8Array): CommandApdu | undefined {
  try {
    return decodeApdu(command);
  } catch {
    return undefined;
  }
}
