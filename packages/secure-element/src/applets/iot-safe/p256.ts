import { createECDH, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { concatBytes, fromHex } from '@sefleet/bytes';
import type { Rng } from '@sefleet/runtime';

/** A P-256 key pair in raw form: 32 and 65 bytes. */
export interface RawKeyPair {
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
}

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const PRIME = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const CURVE_B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;
const SCALAR_LENGTH = 32;
/**
 * PKCS#8 of a P-256 key up to the scalar, between scalar and point (RFC 5915), and SubjectPublicKeyInfo up to
 * the point.
 */
const PKCS8_HEAD = fromHex('308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420');
const PKCS8_MIDDLE = fromHex('a144034200');
const SPKI_HEAD = fromHex('3059301306072a8648ce3d020106082a8648ce3d030107034200');

/** A new key pair from `rng`. */
export function generateKeyPair(rng: Rng): RawKeyPair {
  const privateKey = randomScalar(rng);
  return { privateKey, publicKey: publicKeyOf(privateKey) };
}

/** The uncompressed public point of a private scalar. */
export function publicKeyOf(privateKey: Uint8Array): Uint8Array {
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(privateKey);
  return Uint8Array.from(ecdh.getPublicKey());
}

/** The x coordinate of the shared point, or undefined when `peer` is no point of the curve. */
export function agree(privateKey: Uint8Array, peer: Uint8Array): Uint8Array | undefined {
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(privateKey);
  try {
    return Uint8Array.from(ecdh.computeSecret(peer));
  } catch {
    // OpenSSL refuses what is not on the curve.
    return undefined;
  }
}

/** ECDSA over `message` with SHA-256: r ‖ s, 64 bytes. */
export function signMessage(key: RawKeyPair, message: Uint8Array): Uint8Array {
  const der = concatBytes(PKCS8_HEAD, key.privateKey, PKCS8_MIDDLE, key.publicKey);
  const privateKey = createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' });
  return Uint8Array.from(sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' }));
}

/** True when `signature` (r ‖ s) is one over `message` with SHA-256. */
export function verifyMessage(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    const der = Buffer.from(concatBytes(SPKI_HEAD, publicKey));
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
    return verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
  } catch {
    // OpenSSL refuses what is not on the curve.
    return false;
  }
}

/**
 * ECDSA over a digest that the host made: r ‖ s (FIPS 186-5 §6.4). `node:crypto` only signs what it hashes
 * itself, so the point comes from its ECDH and the two multiplications modulo the order are ours.
 */
export function signDigest(privateKey: Uint8Array, digest: Uint8Array, rng: Rng): Uint8Array {
  const d = toNumber(privateKey);
  const z = toNumber(digest.subarray(0, SCALAR_LENGTH));
  for (;;) {
    const nonce = randomScalar(rng);
    const r = toNumber(publicKeyOf(nonce).subarray(1, 1 + SCALAR_LENGTH)) % ORDER;
    const s = (inverse(toNumber(nonce), ORDER) * (z + r * d)) % ORDER;
    if (r !== 0n && s !== 0n) return concatBytes(toBytes(r), toBytes(s));
  }
}

/**
 * True when `signature` (r ‖ s) is one over a digest that the host made (FIPS 186-5 §6.4.2). Both multiples
 * of points come from `node:crypto`; its ECDH gives the second one without its y coordinate, so both
 * candidates are tried: the other one belongs to the negated key, which has the same holder.
 */
export function verifyDigest(publicKey: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean {
  const r = toNumber(signature.subarray(0, SCALAR_LENGTH));
  const s = toNumber(signature.subarray(SCALAR_LENGTH));
  if (signature.length !== 2 * SCALAR_LENGTH || r === 0n || r >= ORDER || s === 0n || s >= ORDER)
    return false;
  const w = inverse(s, ORDER);
  const u1 = (toNumber(digest.subarray(0, SCALAR_LENGTH)) * w) % ORDER;
  const second = agree(toBytes((r * w) % ORDER), publicKey);
  if (u1 === 0n || second === undefined) return false;
  const first = publicKeyOf(toBytes(u1));
  const [x1, y1] = [toNumber(first.subarray(1, 33)), toNumber(first.subarray(33))];
  const x2 = toNumber(second);
  const y2 = power(x2 * x2 * x2 - 3n * x2 + CURVE_B + 4n * PRIME * PRIME, (PRIME + 1n) / 4n);
  return [y2, PRIME - y2].some((y) => {
    const slope = ((y1 - y) * inverse(x1 - x2, PRIME)) % PRIME;
    const x3 = (((slope * slope - x1 - x2) % PRIME) + PRIME) % PRIME;
    return x3 % ORDER === r;
  });
}

/** r ‖ s as a DER SEQUENCE of two INTEGERs (RFC 3279 §2.2.3). */
export function derSignature(raw: Uint8Array): Uint8Array {
  const half = raw.length / 2;
  const body = concatBytes(derInteger(raw.subarray(0, half)), derInteger(raw.subarray(half)));
  return concatBytes(Uint8Array.of(0x30, body.length), body);
}

/** SubjectPublicKeyInfo of an uncompressed point. */
export function subjectPublicKeyInfo(publicKey: Uint8Array): Uint8Array {
  return concatBytes(SPKI_HEAD, publicKey);
}

function derInteger(magnitude: Uint8Array): Uint8Array {
  let start = 0;
  while (start < magnitude.length - 1 && magnitude[start] === 0) start++;
  const digits = magnitude.subarray(start);
  const sign = (digits[0] ?? 0) >= 0x80 ? Uint8Array.of(0) : new Uint8Array(0);
  return concatBytes(Uint8Array.of(0x02, sign.length + digits.length), sign, digits);
}

function randomScalar(rng: Rng): Uint8Array {
  for (;;) {
    const candidate = rng.bytes(SCALAR_LENGTH);
    const value = toNumber(candidate);
    if (value > 0n && value < ORDER) return candidate;
  }
}

function toNumber(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`);
}

function toBytes(value: bigint): Uint8Array {
  return fromHex(value.toString(16).padStart(2 * SCALAR_LENGTH, '0'));
}

/** The inverse modulo a prime by the extended Euclidean algorithm. */
function inverse(value: bigint, modulus: bigint): bigint {
  let [a, b] = [((value % modulus) + modulus) % modulus, modulus];
  let [x, y] = [1n, 0n];
  while (b !== 0n) {
    const quotient = a / b;
    [a, b] = [b, a - quotient * b];
    [x, y] = [y, x - quotient * y];
  }
  return ((x % modulus) + modulus) % modulus;
}

/** `base` to the power of `exponent` modulo the field's prime. */
function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (
    let square = base % PRIME, rest = exponent;
    rest > 0n;
    rest >>= 1n, square = (square * square) % PRIME
  ) {
    if ((rest & 1n) === 1n) result = (result * square) % PRIME;
  }
  return result;
}
