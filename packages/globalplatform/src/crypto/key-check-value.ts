import { createCipheriv, createHash } from 'node:crypto';
import { AES_BLOCK, aesEcbEncrypt } from './aes.ts';

const CHECK_BLOCK = new Uint8Array(AES_BLOCK).fill(0x01);
const CHECK_LENGTH = 3;

/**
 * The key check value of an AES key: the first 3 bytes of AES-ECB over sixteen bytes 01 (GPCS 2.3.1 §B.6).
 */
export function aesKeyCheckValue(key: Uint8Array): Uint8Array {
  return aesEcbEncrypt(key, CHECK_BLOCK).subarray(0, CHECK_LENGTH);
}

/** The key check value of a two-key triple-DES key: the first 3 bytes of 3DES-ECB over eight zeros. */
export function desKeyCheckValue(key: Uint8Array): Uint8Array {
  const cipher = createCipheriv('des-ede-ecb', key, null).setAutoPadding(false);
  return cipher.update(new Uint8Array(8)).subarray(0, CHECK_LENGTH);
}

/** The check value of a key that is neither, such as a pre-shared key: the first 3 bytes of its SHA-256. */
export function digestKeyCheckValue(key: Uint8Array): Uint8Array {
  return createHash('sha256').update(key).digest().subarray(0, CHECK_LENGTH);
}
