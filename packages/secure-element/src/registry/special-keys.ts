import { KEY_TYPE } from '@sefleet/globalplatform';
import type { CodeKey, VerificationKey } from '@sefleet/globalplatform';
import type { Key, SecurityDomain } from '../card/card-state.ts';

/** Where a key of GlobalPlatform's own uses lies (GPCS 2.3.1 §H.4; GP UICC configuration). */
export interface KeyPlace {
  readonly version: number;
  readonly id: number;
}

/** Verifies tokens; in the Security Domain with Token Verification. */
export const TOKEN_KEY: KeyPlace = { version: 0x70, id: 1 };
/** Makes receipts; in the Security Domain with Receipt Generation. */
export const RECEIPT_KEY: KeyPlace = { version: 0x71, id: 1 };
/** Verifies DAPs; in a Security Domain with DAP Verification. */
export const DAP_KEY: KeyPlace = { version: 0x73, id: 1 };
/** Deciphers load files; in a Security Domain with Ciphered Load File Data Block. */
export const CODE_KEY: KeyPlace = { version: 0x75, id: 1 };
/** The public key of the certification authority; in the Controlling Authority's Security Domain. */
export const AUTHORITY_KEY: KeyPlace = { version: 0x74, id: 1 };
/** The AES key by which a Controlling Authority proves to its Security Domain what it sends (KS.CASD.AUT). */
export const AUTHORITY_AUTHENTICATION_KEY: KeyPlace = { version: 0x74, id: 2 };
/**
 * The private key agreement key of that domain, or the AES key that keeps what is sent to it (KS.CASD.CT).
 */
export const AUTHORITY_AGREEMENT_KEY: KeyPlace = { version: 0x74, id: 3 };

/** Key versions that GlobalPlatform gives to other uses than secure channels. */
const FIRST_SPECIAL_VERSION = 0x70;
const LAST_SPECIAL_VERSION = 0x7f;

/**
 * True for keys of a use of their own: whoever has a certificate of the Controlling Authority, or signs
 * tokens or load files, opens no session by that.
 */
export function isOfSpecialUse({ version }: { readonly version: number }): boolean {
  return version >= FIRST_SPECIAL_VERSION && version <= LAST_SPECIAL_VERSION;
}

/** The key at `place`. */
export function keyAt(domain: SecurityDomain, place: KeyPlace): Key | undefined {
  return domain.keySets.find((set) => set.version === place.version)?.keys.find((key) => key.id === place.id);
}

/** The key at `place` as one that verifies signatures or MACs. */
export function verificationKey(domain: SecurityDomain, place: KeyPlace): VerificationKey | undefined {
  const key = keyAt(domain, place);
  switch (key?.type) {
    case KEY_TYPE.AES:
      return { kind: 'aes', key: key.value };
    case KEY_TYPE.EC_PUBLIC:
      return { kind: 'ec', point: key.value };
    case KEY_TYPE.RSA_MODULUS:
      return { kind: 'rsa', modulus: key.value, exponent: key.exponent ?? new Uint8Array(0) };
    default:
      return undefined;
  }
}

/** The key at `place` as one that deciphers load files. */
export function codeKey(domain: SecurityDomain, place: KeyPlace): CodeKey | undefined {
  const key = keyAt(domain, place);
  switch (key?.type) {
    case KEY_TYPE.AES:
      return { kind: 'aes', value: key.value };
    case KEY_TYPE.DES:
    case KEY_TYPE.TDES_CBC:
      return { kind: 'triple-des', value: key.value };
    default:
      return undefined;
  }
}
