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

/** What the PSK of a device's account on a stakeholder's own server is bound to. */
export function stakeholderPskLabel(endpoint: string): string {
  return `sefleet psk v1\0stakeholder\0${endpoint}`;
}

/**
 * The PSK of a device without a card of ours: 128 bits as 22 visible characters, because programs that people
 * drive by hand take a PSK as text (RFC 4279 §5.4 asks for that form in user interfaces).
 */
export function softwarePsk(derived: Uint8Array): Uint8Array {
  return Uint8Array.from(Buffer.from(Buffer.from(derived).toString('base64url'), 'ascii'));
}

/** Version of the masters that receipt and agreement keys are derived from. */
export const FIRST_DERIVATION_VERSION = 1;
/** Bytes of a receipt key (AES-128). */
export const RECEIPT_KEY_BYTES = 16;
/** Bytes of a P-256 private key. */
export const CARD_SCALAR_BYTES = 32;

/** What a card's own keys are bound to, beside those that KDF3 diversifies. */
export function cardLabel(diversification: Uint8Array): string {
  return `sefleet card v1\0${Buffer.from(diversification).toString('hex')}`;
}
