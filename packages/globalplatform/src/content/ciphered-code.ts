import { createCipheriv, createDecipheriv } from 'node:crypto';
import { concatBytes } from '@sefleet/bytes';
import { globalPlatformError } from '../errors.ts';

/** A load file data block that only the Security Domain with its key can read (GPCS 2.3.1 §C.6). */
export interface CipheredCode {
  readonly ciphertext: Uint8Array;
  /** Initial chaining value, one block; zeros when it is absent. */
  readonly icv?: Uint8Array;
}

/** The key of such blocks (KVN 75): AES with 16, 24 or 32 bytes, or triple DES with 16. */
export interface CodeKey {
  readonly kind: 'aes' | 'triple-des';
  readonly value: Uint8Array;
}

/**
 * Enciphers the code of a load file in CBC mode, padded with `80 00*`.
 *
 * @param icv One block (AES 16 bytes, triple DES 8); left out, it is zero and does not travel.
 * @throws SefleetError `GP_KEY_INVALID` for a key or an initial value of another length.
 * @example
 * loadCommands({ daps, code: encipherCode(code, { kind: 'aes', value: key }) })
 */
export function encipherCode(code: Uint8Array, key: CodeKey, icv?: Uint8Array): CipheredCode {
  const { algorithm, block } = cipherOf(key);
  const padding = new Uint8Array(block - (code.length % block));
  padding[0] = 0x80;
  const cipher = createCipheriv(algorithm, key.value, initialValue(icv, block)).setAutoPadding(false);
  const ciphertext = Uint8Array.from(cipher.update(concatBytes(code, padding)));
  return icv === undefined ? { ciphertext } : { ciphertext, icv };
}

/**
 * The code in the clear; undefined when the padding shows that the key is another one.
 *
 * @throws SefleetError `GP_KEY_INVALID` as {@link encipherCode}, and for a ciphertext that is no whole
 *   blocks.
 */
export function decipherCode({ ciphertext, icv }: CipheredCode, key: CodeKey): Uint8Array | undefined {
  const { algorithm, block } = cipherOf(key);
  if (ciphertext.length === 0 || ciphertext.length % block !== 0) {
    throw globalPlatformError('GP_KEY_INVALID', `ciphered code comes in whole blocks of ${block} bytes`);
  }
  const decipher = createDecipheriv(algorithm, key.value, initialValue(icv, block)).setAutoPadding(false);
  const padded = Uint8Array.from(decipher.update(ciphertext));
  let end = padded.length - 1;
  while (end > padded.length - block && padded[end] === 0) end--;
  return padded[end] === 0x80 ? padded.subarray(0, end) : undefined;
}

function cipherOf({ kind, value }: CodeKey): { readonly algorithm: string; readonly block: number } {
  const bits = value.length * 8;
  if (kind === 'aes' && [128, 192, 256].includes(bits)) return { algorithm: `aes-${bits}-cbc`, block: 16 };
  if (kind === 'triple-des' && bits === 128) return { algorithm: 'des-ede-cbc', block: 8 };
  throw globalPlatformError('GP_KEY_INVALID', `no ${kind} key has ${value.length} bytes`);
}

function initialValue(icv: Uint8Array | undefined, block: number): Uint8Array {
  if (icv !== undefined && icv.length !== block) {
    throw globalPlatformError('GP_KEY_INVALID', `the initial chaining value has ${block} bytes`);
  }
  return icv ?? new Uint8Array(block);
}
