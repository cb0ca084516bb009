import {
  constants,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  privateEncrypt,
  publicDecrypt,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { bytesEqual, concatBytes, fromHex } from '@sefleet/bytes';
import type { Rng } from '@sefleet/runtime';
import type { HashName } from './algorithms.ts';

/** A public key: modulus and exponent, big-endian without leading zeros. */
export interface RsaPublicKey {
  readonly modulus: Uint8Array;
  readonly exponent: Uint8Array;
}

/** Bits of a modulus (GSMA IoT.05: RSA 2K). */
const MODULUS_BITS = 2048;
const MODULUS_BYTES = MODULUS_BITS / 8;
const TRAILER = 0xbc;
/** DigestInfo up to the digest (RFC 8017 §9.2). */
const DIGEST_INFO: Readonly<Record<HashName, Uint8Array>> = {
  sha256: fromHex('3031300d060960864801650304020105000420'),
  sha384: fromHex('3041300d060960864801650304020205000430'),
  sha512: fromHex('3051300d060960864801650304020305000440'),
};

/**
 * A new key pair: PKCS #1 DER, and the public key. The primes are OpenSSL's own randomness, which takes some
 * 0.1 s: an RSA key is made when a card is personalised, not in a handshake.
 */
export function generateRsaKeyPair(): { readonly privateKey: Uint8Array; readonly publicKey: RsaPublicKey } {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: MODULUS_BITS });
  const der = privateKey.export({ type: 'pkcs1', format: 'der' });
  return { privateKey: Uint8Array.from(der), publicKey: publicKeyIn(publicKey) };
}

/** True for a modulus of 2,048 bits and an odd exponent of 1 to 4 bytes. */
export function isRsaPublicKey({ modulus, exponent }: RsaPublicKey): boolean {
  const odd = ((exponent.at(-1) ?? 0) & 1) === 1 && ((modulus.at(-1) ?? 0) & 1) === 1;
  const sized = modulus.length === MODULUS_BYTES && (modulus[0] ?? 0) >= 0x80;
  return odd && sized && exponent.length >= 1 && exponent.length <= 4 && (exponent[0] ?? 0) !== 0;
}

/** RSASSA-PKCS1-v1_5 over a digest (RFC 8017 §8.2.1): 256 bytes. */
export function signPkcs1(privateKey: Uint8Array, digest: Uint8Array, hash: HashName): Uint8Array {
  const key = { key: privateKeyIn(privateKey), padding: constants.RSA_PKCS1_PADDING };
  return Uint8Array.from(privateEncrypt(key, concatBytes(DIGEST_INFO[hash], digest)));
}

/** True when `signature` is RSASSA-PKCS1-v1_5 over the digest. */
export function verifyPkcs1(
  publicKey: RsaPublicKey,
  digest: Uint8Array,
  signature: Uint8Array,
  hash: HashName,
): boolean {
  const encoded = recover(publicKey, signature, constants.RSA_PKCS1_PADDING);
  return encoded !== undefined && bytesEqual(encoded, concatBytes(DIGEST_INFO[hash], digest));
}

/** RSASSA-PSS over a digest, MGF1 with the same hash and a salt of its length (RFC 8017 §8.1.1, §9.1.1). */
export function signPss(privateKey: Uint8Array, digest: Uint8Array, hash: HashName, rng: Rng): Uint8Array {
  const salt = rng.bytes(digest.length);
  const h = createHash(hash).update(new Uint8Array(8)).update(digest).update(salt).digest();
  const block = new Uint8Array(MODULUS_BYTES - h.length - 1);
  block.set(salt, block.length - salt.length);
  block[block.length - salt.length - 1] = 1;
  const masked = xor(block, mask(h, block.length, hash));
  masked[0] = (masked[0] ?? 0) & 0x7f;
  const encoded = concatBytes(masked, h, Uint8Array.of(TRAILER));
  const key = { key: privateKeyIn(privateKey), padding: constants.RSA_NO_PADDING };
  return Uint8Array.from(privateEncrypt(key, encoded));
}

/** True when `signature` is RSASSA-PSS over the digest, by the same rules (RFC 8017 §9.1.2). */
export function verifyPss(
  publicKey: RsaPublicKey,
  digest: Uint8Array,
  signature: Uint8Array,
  hash: HashName,
): boolean {
  const encoded = recover(publicKey, signature, constants.RSA_NO_PADDING);
  if (encoded?.at(-1) !== TRAILER || (encoded[0] ?? 0) >= 0x80) return false;
  const masked = encoded.subarray(0, MODULUS_BYTES - digest.length - 1);
  const h = encoded.subarray(masked.length, -1);
  const block = xor(masked, mask(h, masked.length, hash));
  block[0] = (block[0] ?? 0) & 0x7f;
  const saltAt = block.length - digest.length;
  const padded = block.subarray(0, saltAt - 1).every((byte) => byte === 0) && block[saltAt - 1] === 1;
  const expected = createHash(hash)
    .update(new Uint8Array(8))
    .update(digest)
    .update(block.subarray(saltAt))
    .digest();
  return padded && bytesEqual(h, expected);
}

/** RFC 8017 §8.2.2 step 1: a signature is as long as the modulus, also when it begins with a zero byte. */
function recover(publicKey: RsaPublicKey, signature: Uint8Array, padding: number): Uint8Array | undefined {
  if (signature.length !== MODULUS_BYTES) return undefined;
  const [n, e] = [publicKey.modulus, publicKey.exponent].map((part) =>
    Buffer.from(part).toString('base64url'),
  );
  try {
    const key = createPublicKey({ key: { kty: 'RSA', n: n ?? '', e: e ?? '' }, format: 'jwk' });
    return Uint8Array.from(publicDecrypt({ key, padding }, signature));
  } catch {
    // OpenSSL refuses a signature beyond the modulus, or with wrong padding.
    return undefined;
  }
}

function privateKeyIn(pkcs1: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.from(pkcs1), format: 'der', type: 'pkcs1' });
}

function publicKeyIn(key: KeyObject): RsaPublicKey {
  const { n = '', e = '' } = key.export({ format: 'jwk' });
  return { modulus: fromBase64(n), exponent: fromBase64(e) };
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'base64url'));
}

/** MGF1 (RFC 8017 §B.2.1). */
function mask(seed: Uint8Array, length: number, hash: HashName): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let made = 0, counter = 0; made < length; counter++) {
    const block = createHash(hash)
      .update(seed)
      .update(Uint8Array.of(0, 0, counter >> 8, counter))
      .digest();
    parts.push(block);
    made += block.length;
  }
  return concatBytes(...parts).subarray(0, length);
}

function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((byte, i) => byte ^ (b[i] ?? 0));
}
