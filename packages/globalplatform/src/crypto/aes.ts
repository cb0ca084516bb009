import { createCipheriv, createDecipheriv } from 'node:crypto';
import { globalPlatformError } from '../errors.ts';

/** The block length of AES. */
export const AES_BLOCK = 16;

/** An initial vector of zeros; shared, never written. */
export const ZERO_BLOCK: Uint8Array = new Uint8Array(AES_BLOCK);

/** The lengths of AES keys. */
export const AES_KEY_LENGTHS: readonly number[] = [16, 24, 32];

/** AES-ECB of whole blocks. */
export function aesEcbEncrypt(key: Uint8Array, blocks: Uint8Array): Uint8Array {
  return withoutBuffer(createCipheriv(algorithm(key, 'ecb'), key, null).setAutoPadding(false).update(blocks));
}

/** AES-CBC of whole blocks, without padding. */
export function aesCbcEncrypt(key: Uint8Array, iv: Uint8Array, blocks: Uint8Array): Uint8Array {
  return withoutBuffer(createCipheriv(algorithm(key, 'cbc'), key, iv).setAutoPadding(false).update(blocks));
}

/** The inverse of {@link aesCbcEncrypt}. */
export function aesCbcDecrypt(key: Uint8Array, iv: Uint8Array, blocks: Uint8Array): Uint8Array {
  return withoutBuffer(createDecipheriv(algorithm(key, 'cbc'), key, iv).setAutoPadding(false).update(blocks));
}

/** `data` with `80 00*` up to a whole number of blocks (ISO/IEC 9797-1 padding method 2). */
export function padIso(data: Uint8Array): Uint8Array {
  const padded = new Uint8Array((Math.floor(data.length / AES_BLOCK) + 1) * AES_BLOCK);
  padded.set(data);
  padded[data.length] = 0x80;
  return padded;
}

/** `padded` without its `80 00*`, or undefined when there is none in the last block. */
export function unpadIso(padded: Uint8Array): Uint8Array | undefined {
  let end = padded.length - 1;
  const stop = Math.max(0, padded.length - AES_BLOCK);
  while (end >= stop && padded[end] === 0) end--;
  return end >= stop && padded[end] === 0x80 ? padded.subarray(0, end) : undefined;
}

/**
 * The same bytes as a plain array: `slice` of a Buffer does not copy, and a key that is a view on a pool
 * would change.
 */
function withoutBuffer(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

function algorithm(key: Uint8Array, mode: 'ecb' | 'cbc'): string {
  switch (key.length) {
    case 16:
      return mode === 'ecb' ? 'aes-128-ecb' : 'aes-128-cbc';
    case 24:
      return mode === 'ecb' ? 'aes-192-ecb' : 'aes-192-cbc';
    case 32:
      return mode === 'ecb' ? 'aes-256-ecb' : 'aes-256-cbc';
    default:
      throw globalPlatformError('GP_KEY_INVALID', `AES keys have 16, 24 or 32 bytes, not ${key.length}`);
  }
}
