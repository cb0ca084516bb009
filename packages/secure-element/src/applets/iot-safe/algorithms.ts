import { findTlv, STATUS_WORD } from '@sefleet/globalplatform';
import type { Tlv } from '@sefleet/globalplatform';
import { orRefuse, refuse } from '../../card/refusal.ts';
import { IOT_SAFE_TAG } from './iot-safe-protocol.ts';

/** Hash functions of IoT SAFE, by their names in OpenSSL. */
export type HashName = 'sha256' | 'sha384' | 'sha512';

/** What a signature is made with. */
export interface SignatureAlgorithm {
  readonly hash: HashName;
  readonly scheme: 'pkcs1' | 'pss' | 'ecdsa';
}

/** Identifiers of hash functions (GSMA IoT.05 §2.5.1), two bytes. */
const HASHES: ReadonlyMap<number, HashName> = new Map([
  [0x0001, 'sha256'],
  [0x0002, 'sha384'],
  [0x0004, 'sha512'],
]);
/** Identifiers of signature algorithms (GSMA IoT.05 §2.5.2). */
const SCHEMES: ReadonlyMap<number, SignatureAlgorithm['scheme']> = new Map([
  [0x01, 'pkcs1'],
  [0x02, 'pss'],
  [0x04, 'ecdsa'],
]);
/** All of both, as GET DATA tells them. */
export const ALL_HASHES: Uint8Array = Uint8Array.of(0x00, 0x07);
export const RSA_SCHEMES = 0x03;
export const ECDSA_SCHEME = 0x04;

/** Bytes of a digest. */
export const DIGEST_BYTES: Readonly<Record<HashName, number>> = { sha256: 32, sha384: 48, sha512: 64 };

/** The hash function that a command names; SHA-256 without. */
export function readHash(objects: readonly Tlv[]): HashName {
  const [high = 0, low = 1] = findTlv(objects, IOT_SAFE_TAG.HASH_ALGORITHM) ?? [];
  return orRefuse(HASHES.get((high << 8) | low), STATUS_WORD.FUNCTION_NOT_SUPPORTED);
}

/**
 * The algorithm that INIT names; SHA-256 and the key's usual scheme unless it says otherwise. 6A81 for one
 * that is not there or not for this kind of key.
 */
export function readAlgorithm(objects: readonly Tlv[], isRsa: boolean): SignatureAlgorithm {
  const [id = isRsa ? 0x01 : 0x04] = findTlv(objects, IOT_SAFE_TAG.SIGNATURE_ALGORITHM) ?? [];
  const scheme = orRefuse(SCHEMES.get(id), STATUS_WORD.FUNCTION_NOT_SUPPORTED);
  if ((scheme === 'ecdsa') === isRsa) refuse(STATUS_WORD.FUNCTION_NOT_SUPPORTED);
  return { hash: readHash(objects), scheme };
}
