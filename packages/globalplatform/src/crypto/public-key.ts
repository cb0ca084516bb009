import { constants, createPublicKey, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { concatBytes, constantTimeEqual } from '@sefleet/bytes';
import { globalPlatformError } from '../errors.ts';
import { encodeTlv } from '../tlv/ber-tlv.ts';
import { aesCmac } from './aes-cmac.ts';

/** A key that verifies tokens, DAPs and certificates: as a card stores it. */
export type VerificationKey =
  | { readonly kind: 'rsa'; readonly modulus: Uint8Array; readonly exponent: Uint8Array }
  | { readonly kind: 'ec'; readonly point: Uint8Array }
  | { readonly kind: 'aes'; readonly key: Uint8Array };

/** A key that signs them: a private key, or the AES key that both sides share. */
export type SigningKey = KeyObject | { readonly kind: 'aes'; readonly key: Uint8Array };

interface Curve {
  readonly name: string;
  readonly hash: string;
  /** Object identifier, DER. */
  readonly oid: Uint8Array;
}

/** Curves by the length of their uncompressed point, and the hash that goes with each (GPC_SPE_042 §3.1). */
const CURVES: Readonly<Record<number, Curve>> = {
  65: {
    name: 'prime256v1',
    hash: 'sha256',
    oid: Uint8Array.of(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07),
  },
  97: { name: 'secp384r1', hash: 'sha384', oid: Uint8Array.of(0x2b, 0x81, 0x04, 0x00, 0x22) },
  133: { name: 'secp521r1', hash: 'sha512', oid: Uint8Array.of(0x2b, 0x81, 0x04, 0x00, 0x23) },
};
const EC_PUBLIC_KEY_OID = Uint8Array.of(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01);
const RSA_SHA1_BITS = 1024;
const RSA_SHA256_BITS = 2048;

/**
 * The public key object of an uncompressed point on P-256, P-384 or P-521.
 *
 * @throws SefleetError `GP_KEY_INVALID` when it is no point of a curve.
 */
export function ecPublicKey(point: Uint8Array): KeyObject {
  const curve = CURVES[point.length];
  if (curve === undefined)
    throw globalPlatformError('GP_KEY_INVALID', `no curve has points of ${point.length} bytes`);
  const algorithm = encodeTlv(0x30, encodeTlv(0x06, EC_PUBLIC_KEY_OID), encodeTlv(0x06, curve.oid));
  const der = encodeTlv(0x30, algorithm, encodeTlv(0x03, Uint8Array.of(0), point));
  try {
    return createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' });
  } catch (cause) {
    throw globalPlatformError('GP_KEY_INVALID', 'the point is not on its curve', { cause });
  }
}

/** The uncompressed point of an EC key, public or private. */
export function ecPoint(key: KeyObject): Uint8Array {
  const { x, y } = (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'jwk' });
  if (x === undefined || y === undefined) throw globalPlatformError('GP_KEY_INVALID', 'the key is no EC key');
  return concatBytes(Uint8Array.of(0x04), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url'));
}

/**
 * Signs as GlobalPlatform does (GPCS 2.3.1 §B.3, §C.4): RSA up to 1,024 bits PKCS#1 v1.5 with SHA-1, up to
 * 2,048 PSS with SHA-256, above PSS with SHA-512; ECDSA as r ‖ s with the hash of the curve; AES-CMAC.
 */
export function signGp(key: SigningKey, data: Uint8Array): Uint8Array {
  if ('kind' in key) return aesCmac(key.key, data);
  const bits = key.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined) return Uint8Array.from(sign(rsaHash(bits), data, { key, ...rsaPadding(bits) }));
  const hash = CURVES[ecPoint(key).length]?.hash ?? 'sha256';
  return Uint8Array.from(sign(hash, data, { key, dsaEncoding: 'ieee-p1363' }));
}

/** True when `signature` is one of {@link signGp} over `data`. Keys that are none verify nothing. */
export function verifyGp(key: VerificationKey, data: Uint8Array, signature: Uint8Array): boolean {
  if (key.kind === 'aes') return constantTimeEqual(aesCmac(key.key, data), signature);
  try {
    if (key.kind === 'rsa') {
      const publicKey = rsaPublicKey(key.modulus, key.exponent);
      const bits = publicKey.asymmetricKeyDetails?.modulusLength ?? 0;
      return verify(rsaHash(bits), data, { key: publicKey, ...rsaPadding(bits) }, signature);
    }
    const hash = CURVES[key.point.length]?.hash ?? 'sha256';
    return verify(hash, data, { key: ecPublicKey(key.point), dsaEncoding: 'ieee-p1363' }, signature);
  } catch {
    // A key or signature that OpenSSL cannot read is a wrong one.
    return false;
  }
}

function rsaPublicKey(modulus: Uint8Array, exponent: Uint8Array): KeyObject {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
  return createPublicKey({ key: { kty: 'RSA', n: text(modulus), e: text(exponent) }, format: 'jwk' });
}

function rsaHash(bits: number): string {
  if (bits <= RSA_SHA1_BITS) return 'sha1';
  return bits <= RSA_SHA256_BITS ? 'sha256' : 'sha512';
}

function rsaPadding(bits: number) {
  if (bits <= RSA_SHA1_BITS) return { padding: constants.RSA_PKCS1_PADDING };
  return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
}
