import { createHash } from 'node:crypto';
import { concatBytes } from '@sefleet/bytes';
import { globalPlatformError } from '../errors.ts';
import { AES_BLOCK, AES_KEY_LENGTHS } from './aes.ts';
import { aesCmac } from './aes-cmac.ts';

/** Derivation constants of SCP03 (GPC_SPE_014 §4.1.5). */
export const DERIVATION_CONSTANT = {
  CARD_CRYPTOGRAM: 0x00,
  HOST_CRYPTOGRAM: 0x01,
  CARD_CHALLENGE: 0x02,
  S_ENC: 0x04,
  S_MAC: 0x06,
  S_RMAC: 0x07,
} as const;

const LABEL_LENGTH = 12;
const COUNTER_AT = 15;
const KDD_LENGTH = 10;

/**
 * The SCP03 key derivation function: NIST SP 800-108 in counter mode over AES-CMAC (GPC_SPE_014 §4.1.5).
 *
 * @param length Bytes wanted.
 */
export function deriveScp03(
  key: Uint8Array,
  constant: number,
  context: Uint8Array,
  length: number,
): Uint8Array {
  const input = new Uint8Array(LABEL_LENGTH + 4 + context.length);
  input[LABEL_LENGTH - 1] = constant;
  input[13] = (length * 8) >> 8;
  input[14] = length * 8;
  input.set(context, LABEL_LENGTH + 4);
  return expand((block) => aesCmac(key, block), input, COUNTER_AT, length);
}

/** The key set of a card, derived from a master key. */
export interface StaticKeys {
  readonly enc: Uint8Array;
  readonly mac: Uint8Array;
  readonly dek: Uint8Array;
}

/**
 * The card's own ENC, MAC and DEK from a master key and the card's key diversification data ("KDF3"):
 * AES-CMAC in counter mode over `i ‖ 0000 ‖ 00 ‖ key number ‖ 00 ‖ KDD`.
 *
 * @param master 16, 24 or 32 bytes; the derived keys have the same length.
 * @param diversificationData The 10 bytes that INITIALIZE UPDATE answers first.
 */
export function diversifyKdf3(master: Uint8Array, diversificationData: Uint8Array): StaticKeys {
  if (!AES_KEY_LENGTHS.includes(master.length)) {
    throw globalPlatformError('GP_KEY_INVALID', `AES keys have 16, 24 or 32 bytes, not ${master.length}`);
  }
  return diversifyKdf3With((input) => aesCmac(master, input), master.length, diversificationData);
}

/**
 * {@link diversifyKdf3} for a master that stays where it is, for example in a PKCS#11 token.
 *
 * @param cmac AES-CMAC under the master.
 * @param keyLength Bytes of the master, and of each derived key.
 */
export function diversifyKdf3With(
  cmac: (input: Uint8Array) => Uint8Array,
  keyLength: number,
  diversificationData: Uint8Array,
): StaticKeys {
  if (diversificationData.length !== KDD_LENGTH) {
    throw globalPlatformError('GP_KEY_INVALID', `key diversification data has ${KDD_LENGTH} bytes`);
  }
  const derive = (keyNumber: number): Uint8Array => {
    const input = concatBytes(Uint8Array.of(1, 0, 0, 0, keyNumber, 0), diversificationData);
    return expand(cmac, input, 0, keyLength);
  };
  return { enc: derive(1), mac: derive(2), dek: derive(3) };
}

/** X9.63 key derivation with SHA-256 (BSI TR-03111 §4.3.3): SCP11 and Amendment A scenario #3 use it. */
export function deriveX963(secret: Uint8Array, sharedInfo: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length);
  for (let at = 0, counter = 1; at < length; at += 32, counter++) {
    const hash = createHash('sha256')
      .update(secret)
      .update(Uint8Array.of(0, 0, counter >> 8, counter))
      .update(sharedInfo)
      .digest();
    out.set(hash.subarray(0, Math.min(32, length - at)), at);
  }
  return out;
}

function expand(
  cmac: (input: Uint8Array) => Uint8Array,
  input: Uint8Array,
  counterAt: number,
  length: number,
): Uint8Array {
  const out = new Uint8Array(length);
  for (let at = 0, counter = 1; at < length; at += AES_BLOCK, counter++) {
    input[counterAt] = counter;
    const block = cmac(input);
    out.set(at + AES_BLOCK <= length ? block : block.subarray(0, length - at), at);
  }
  return out;
}
