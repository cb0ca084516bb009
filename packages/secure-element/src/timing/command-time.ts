import { decodeApdu, decodeClassByte, INS } from '@sefleet/globalplatform';
import type { CommandApdu } from '@sefleet/globalplatform';
import { IOT_SAFE_INS } from '../applets/iot-safe/iot-safe-protocol.ts';
import { MEASURING_COMMAND } from '../applets/measuring/measuring-protocol.ts';
import { computedMs } from './timing-profile.ts';
import type { OperationCount, TimingProfile } from './timing-profile.ts';

/** What a command makes a card do, from the command, the blocks of its data and the length of its answer. */
type Estimate = (command: CommandApdu, blocks: number, answerLength: number) => OperationCount;

const BLOCK = 16;
/** P1 of the last part of a text. */
const LAST = 0x80;
/** An answer that is longer than this carries an RSA signature or key: those of curves have some 70 bytes. */
const RSA_ANSWER = 128;
/** A private operation with 2,048 bits, in those with 1,024: twice the length is eight times the work. */
const RSA_2048_PRIVATE = 8;
/** Candidates for two primes, each tried by a power of half the length: about so many private operations. */
const RSA_2048_GENERATION = 40;

/**
 * What GlobalPlatform commands (class 80) make a card do, beside secure messaging; `blocks` are those of the
 * data.
 */
const DOMAIN_COMMANDS: Readonly<Record<number, Estimate>> = {
  // Challenge, three session keys and two cryptograms: three blocks of CMAC each.
  [INS.INITIALIZE_UPDATE]: () => ({ aesBlocks: 18, writes: 1 }),
  [INS.EXTERNAL_AUTHENTICATE]: () => ({ aesBlocks: 3 }),
  // Each block is decrypted, and each key checked.
  [INS.PUT_KEY]: (_, blocks) => ({ aesBlocks: 2 * blocks, writes: blocks }),
  [INS.STORE_DATA]: (_, blocks) => ({ writes: blocks }),
  [INS.INSTALL]: () => ({ writes: 8 }),
  [INS.DELETE]: () => ({ writes: 8 }),
  [INS.SET_STATUS]: () => ({ writes: 1 }),
  [INS.LOAD]: (_, blocks) => ({ shaBlocks: Math.ceil(blocks / 4), writes: blocks }),
  [INS.PERFORM_SECURITY_OPERATION]: () => ({ shaBlocks: 4, ecMultiplications: 2 }),
  [INS.INTERNAL_AUTHENTICATE]: () => ({ shaBlocks: 6, ecMultiplications: 3 }),
  // Counter mode and CBC-MAC: two passes.
  [MEASURING_COMMAND.SEAL]: (_, blocks) => ({ aesBlocks: 2 * blocks + 4, writes: 1 }),
  // The same twice.
  [MEASURING_COMMAND.HAND_OVER]: (_, blocks) => ({ aesBlocks: 4 * blocks + 8, writes: 3 }),
  [MEASURING_COMMAND.CLEAR]: () => ({ writes: 1 }),
};

/** What IoT SAFE commands make a card do, in either class. */
const IOT_SAFE_COMMANDS: Readonly<Record<number, Estimate>> = {
  // Two HMAC per 32 bytes of output, with inner and outer padding.
  [IOT_SAFE_INS.COMPUTE_PRF]: (_, blocks) => ({ shaBlocks: 4 * (4 + Math.ceil(blocks / 4)) }),
  [IOT_SAFE_INS.COMPUTE_HKDF]: (_, blocks) => ({ shaBlocks: 8 + Math.ceil(blocks / 4) }),
  [IOT_SAFE_INS.COMPUTE_SIGNATURE_UPDATE]: (_, blocks, answer) => ({
    shaBlocks: Math.ceil(blocks / 4),
    ...(answer > RSA_ANSWER ? { rsaPrivate: RSA_2048_PRIVATE } : {}),
    ...(answer > 2 && answer <= RSA_ANSWER ? { ecMultiplications: 1 } : {}),
  }),
  [IOT_SAFE_INS.VERIFY_SIGNATURE_UPDATE]: ({ p1 }, blocks) => ({
    shaBlocks: Math.ceil(blocks / 4),
    ...(p1 === LAST ? { ecMultiplications: 2 } : {}),
  }),
  [IOT_SAFE_INS.COMPUTE_DH]: () => ({ ecMultiplications: 1 }),
  [IOT_SAFE_INS.GENERATE_KEY_PAIR]: (_, _blocks, answer) =>
    answer > RSA_ANSWER
      ? { rsaPrivate: RSA_2048_GENERATION, writes: 80 }
      : { ecMultiplications: 1, writes: 4 },
  [IOT_SAFE_INS.PUT_PUBLIC_KEY_UPDATE]: (_, blocks) => ({ writes: blocks }),
  [IOT_SAFE_INS.GET_RANDOM]: (command) => ({ aesBlocks: Math.ceil((command.le ?? 0) / BLOCK) }),
};

/**
 * How long a chip of `profile` would take from a command to its response, in milliseconds: the bytes over the
 * contacts, secure messaging, and what the command asks for. The virtual card answers at once; whoever wants
 * a load test to see a real chip waits so long before passing the response on.
 */
export function commandTimeMs(profile: TimingProfile, apdu: Uint8Array, response: Uint8Array): number {
  const io = { ioBytes: apdu.length + response.length };
  let command: CommandApdu;
  try {
    command = decodeApdu(apdu);
  } catch {
    // A malformed command costs its transport.
    return computedMs(profile, io) + profile.commandMs;
  }
  const header = decodeClassByte(command.cla);
  const estimate =
    (header?.proprietary === true ? DOMAIN_COMMANDS[command.ins] : undefined) ??
    IOT_SAFE_COMMANDS[command.ins];
  const blocks = Math.ceil(command.data.length / BLOCK);
  const work = estimate?.(command, blocks, response.length) ?? {};
  // MAC and decryption of the command, and the same for the response.
  const messaging =
    header?.secure === true ? { aesBlocks: 2 * (blocks + Math.ceil(response.length / BLOCK)) + 2 } : {};
  const computed = computedMs(profile, work) + computedMs(profile, messaging);
  return computed * profile.systemFactor + computedMs(profile, io) + profile.commandMs;
}
