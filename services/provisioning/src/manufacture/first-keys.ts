import type { PskPurpose } from '../domain/psk-identity.ts';

/** Version of the record master keys that cards leave the factory with. */
export const FIRST_RECORD_KEY_VERSION = 1;
/** Version of the master that transport PSKs are derived from. */
export const FIRST_PSK_VERSION = 1;
/** Bytes of a PSK: AES-128 needs no more. */
export const PSK_BYTES = 16;

/** What a device's PSK is bound to. */
export function pskLabel(endpoint: string, purpose: PskPurpose): string {
  return `sefleet psk v1\0${purpose}\0${endpoint}`;
}
