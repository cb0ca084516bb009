import { createMac } from 'node:crypto';
import { globalPlatformError } from '../errors.ts';

declare module 'node:crypto' {
  /** In Node since 26; the type package does not declare it yet. */
  export function createMac(
    algorithm: 'cmac',
    key: Uint8Array,
    options: { readonly cipher: string },
  ): { update(data: Uint8Array): void; final(): Uint8Array };
}

const CIPHERS: Readonly<Record<number, { readonly cipher: string }>> = {
  16: { cipher: 'aes-128-cbc' },
  24: { cipher: 'aes-192-cbc' },
  32: { cipher: 'aes-256-cbc' },
};

/**
 * AES-CMAC (NIST SP 800-38B) over the parts, one after the other: 16 bytes.
 *
 * @throws SefleetError `GP_KEY_INVALID` unless the key has 16, 24 or 32 bytes.
 */
export function aesCmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const options = CIPHERS[key.length];
  if (options === undefined) {
    throw globalPlatformError('GP_KEY_INVALID', `AES keys have 16, 24 or 32 bytes, not ${key.length}`);
  }
  const mac = createMac('cmac', key, options);
  for (const part of parts) mac.update(part);
  return mac.final();
}
