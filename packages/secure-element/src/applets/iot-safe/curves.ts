import { createECDH, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { concatBytes, fromHex } from '@sefleet/bytes';
import type { Rng } from '@sefleet/runtime';
import { inverse, power, toBytes, toNumber } from './modular.ts';

/** A key pair in raw form: 32 bytes of a scalar, 65 of an uncompressed point. */
export interface RawKeyPair {
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
}

/** A curve of 256 bits, with what `node:crypto` does not do for it. */
export interface Curve {
  readonly name: string;
  readonly order: bigint;
  readonly prime: bigint;
  readonly a: bigint;
  readonly b: bigint;
  /** DER of the curve's object identifier. */
  readonly identifier: Uint8Array;
}

/** NIST P-256 (FIPS 186-5). */
export const P256: Curve = {
  name: 'prime256v1',
  order: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  prime: 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn,
  a: 0xffffffff00000001000000000000000000000000fffffffffffffffffffffffcn,
  b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
  identifier: fromHex('06082a8648ce3d030107'),
};

/** brainpoolP256r1 (RFC 5639 §3.4). */
export const BRAINPOOL_P256R1: Curve = {
  name: 'brainpoolP256r1',
  order: 0xa9fb57dba1eea9bc3e660a909d838d718c397aa3b561a6f7901e0e82974856a7n,
  prime: 0xa9fb57dba1eea9bc3e660a909d838d726e3bf623d52620282013481d1f6e5377n,
  a: 0x7d5a0975fc2c3057eef67530417affe7fb8055c126dc5c6ce94a4b44f330b5d9n,
  b: 0x26dc5c6ce94a4b44f330b5d9bbd77cbf958416295cf7e1ce6bccdc18ff8c07b6n,
  identifier: fromHex('06092b2403030208010107'),
};

const SCALAR_LENGTH = 32;
const EC_PUBLIC_KEY = fromHex('06072a8648ce3d0201');

/** A new key pair from `rng`. */
export function generateKeyPair(curve: Curve, rng: Rng): RawKeyPair {
  const privateKey = randomScalar(curve, rng);
  return { privateKey, publicKey: publicKeyOf(curve, privateKey) };
}

/** The uncompressed public point of a private scalar. */
export function publicKeyOf(curve: Curve, privateKey: Uint8Array): Uint8Array {
  const ecdh = createECDH(curve.name);
  ecdh.setPrivateKey(privateKey);
  return Uint8Array.from(ecdh.getPublicKey());
}

/** True for a private scalar of the curve: from 1 to below its order. */
export function isScalar({ order }: Curve, scalar: Uint8Array): boolean {
  const value = toNumber(scalar);
  return scalar.length === SCALAR_LENGTH && value > 0n && value < order;
}

/** The x coordinate of the shared point, or undefined when `peer` is no point of the curve. */
export function agree(curve: Curve, privateKey: Uint8Array, peer: Uint8Array): Uint8Array | undefined {
  const ecdh = createECDH(curve.name);
  ecdh.setPrivateKey(privateKey);
  try {
    return Uint8Array.from(ecdh.computeSecret(peer));
  } catch {
    // OpenSSL refuses what is not on the curve.
    return undefined;
  }
}

/** ECDSA over `message`: r ‖ s, 64 bytes. */
export function signMessage(curve: Curve, key: RawKeyPair, message: Uint8Array, hash: string): Uint8Array {
  const point = der(0xa1, der(0x03, Uint8Array.of(0), key.publicKey));
  const inner = der(0x30, fromHex('020101'), der(0x04, key.privateKey), point);
  const pkcs8 = der(0x30, fromHex('020100'), algorithmOf(curve), der(0x04, inner));
  const privateKey = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
  return Uint8Array.from(sign(hash, message, { key: privateKey, dsaEncoding: 'ieee-p1363' }));
}

/** True when `signature` (r ‖ s) is one over `message`. */
export function verifyMessage(
  curve: Curve,
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
  hash: string,
): boolean {
  try {
    const spki = Buffer.from(subjectPublicKeyInfo(curve, publicKey));
    const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
    return verify(hash, message, { key, dsaEncoding: 'ieee-p1363' }, signature);
  } catch {
    // OpenSSL refuses what is not on the curve.
    return false;
  }
}

/**
 * ECDSA over a digest that the host made: r ‖ s (FIPS 186-5 §6.4). `node:crypto` only signs what it hashes
 * itself, so the point comes from its ECDH and the two multiplications modulo the order are ours.
 */
export function signDigest(curve: Curve, privateKey: Uint8Array, digest: Uint8Array, rng: Rng): Uint8Array {
  const { order } = curve;
  const d = toNumber(privateKey);
  const z = toNumber(digest.subarray(0, SCALAR_LENGTH));
  for (;;) {
    const nonce = randomScalar(curve, rng);
    const r = toNumber(publicKeyOf(curve, nonce).subarray(1, 1 + SCALAR_LENGTH)) % order;
    const s = (inverse(toNumber(nonce), order) * (z + r * d)) % order;
    if (r !== 0n && s !== 0n) return concatBytes(toBytes(r, SCALAR_LENGTH), toBytes(s, SCALAR_LENGTH));
  }
}

/**
 * True when `signature` (r ‖ s) is one over a digest that the host made (FIPS 186-5 §6.4.2). Both multiples
 * of points come from `node:crypto`; its ECDH gives the second one without its y coordinate, so both
 * candidates are tried: the other one belongs to the negated key, which has the same holder.
 */
export function verifyDigest(
  curve: Curve,
  publicKey: Uint8Array,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  const { order, prime, a, b } = curve;
  const r = toNumber(signature.subarray(0, SCALAR_LENGTH));
  const s = toNumber(signature.subarray(SCALAR_LENGTH));
  if (signature.length !== 2 * SCALAR_LENGTH || r === 0n || r >= order || s === 0n || s >= order)
    return false;
  const w = inverse(s, order);
  const u1 = (toNumber(digest.subarray(0, SCALAR_LENGTH)) * w) % order;
  const second = agree(curve, toBytes((r * w) % order, SCALAR_LENGTH), publicKey);
  if (u1 === 0n || second === undefined) return false;
  const first = publicKeyOf(curve, toBytes(u1, SCALAR_LENGTH));
  const [x1, y1] = [toNumber(first.subarray(1, 33)), toNumber(first.subarray(33))];
  const x2 = toNumber(second);
  // Both primes are 3 modulo 4, so that this power is a square root.
  const y2 = power(x2 * x2 * x2 + a * x2 + b, (prime + 1n) / 4n, prime);
  return [y2, prime - y2].some((y) => {
    const slope = ((y1 - y) * inverse(x1 - x2, prime)) % prime;
    const x3 = (((slope * slope - x1 - x2) % prime) + prime) % prime;
    return x3 % order === r;
  });
}

/** r ‖ s as a DER SEQUENCE of two INTEGERs (RFC 3279 §2.2.3). */
export function derSignature(raw: Uint8Array): Uint8Array {
  const half = raw.length / 2;
  return der(0x30, derInteger(raw.subarray(0, half)), derInteger(raw.subarray(half)));
}

/** SubjectPublicKeyInfo of an uncompressed point. */
export function subjectPublicKeyInfo(curve: Curve, publicKey: Uint8Array): Uint8Array {
  return der(0x30, algorithmOf(curve), der(0x03, Uint8Array.of(0), publicKey));
}

function algorithmOf({ identifier }: Curve): Uint8Array {
  return der(0x30, EC_PUBLIC_KEY, identifier);
}

/** A DER object; everything of a curve of 256 bits is shorter than 256 bytes. */
function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const body = concatBytes(...parts);
  const length = body.length < 0x80 ? Uint8Array.of(body.length) : Uint8Array.of(0x81, body.length);
  return concatBytes(Uint8Array.of(tag), length, body);
}

function derInteger(magnitude: Uint8Array): Uint8Array {
  let start = 0;
  while (start < magnitude.length - 1 && magnitude[start] === 0) start++;
  const digits = magnitude.subarray(start);
  return der(0x02, new Uint8Array((digits[0] ?? 0) >= 0x80 ? 1 : 0), digits);
}

function randomScalar(curve: Curve, rng: Rng): Uint8Array {
  for (;;) {
    const candidate = rng.bytes(SCALAR_LENGTH);
    if (isScalar(curve, candidate)) return candidate;
  }
}
