import assert from 'node:assert/strict';
import { constants, createHash, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { test } from 'node:test';
import { seededRng } from '../../testing/card-fixture.ts';
import { generateRsaKeyPair, isRsaPublicKey, signPkcs1, signPss, verifyPkcs1, verifyPss } from './rsa.ts';
import type { RsaPublicKey } from './rsa.ts';

const rng = seededRng('rsa');
const { privateKey, publicKey } = generateRsaKeyPair();
const other = generateRsaKeyPair();
const MESSAGE = Buffer.from('a reading');
const HASHES = ['sha256', 'sha384', 'sha512'] as const;
const opensslPrivate = createPrivateKey({ key: Buffer.from(privateKey), format: 'der', type: 'pkcs1' });
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
const opensslPublic = createPublicKey({
  key: { kty: 'RSA', n: base64(publicKey.modulus), e: base64(publicKey.exponent) },
  format: 'jwk',
});
const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };

for (const hash of HASHES) {
  const digest = Uint8Array.from(createHash(hash).update(MESSAGE).digest());

  test(`PKCS #1 v1.5 with ${hash}: OpenSSL verifies ours, and we verify OpenSSL’s`, () => {
    assert.ok(verify(hash, MESSAGE, opensslPublic, signPkcs1(privateKey, digest, hash)));
    assert.ok(verifyPkcs1(publicKey, digest, sign(hash, MESSAGE, opensslPrivate), hash));
  });

  test(`PSS with ${hash}: OpenSSL verifies ours, and we verify OpenSSL’s`, () => {
    for (let i = 0; i < 10; i++) {
      const ours = signPss(privateKey, digest, hash, rng);
      assert.ok(verify(hash, MESSAGE, { key: opensslPublic, ...PSS }, ours));
      const theirs = sign(hash, MESSAGE, { key: opensslPrivate, ...PSS });
      assert.ok(verifyPss(publicKey, digest, theirs, hash));
    }
  });
}

test('another digest, key, hash, scheme and a changed or cut signature do not verify', () => {
  const digest = Uint8Array.from(createHash('sha256').update(MESSAGE).digest());
  const wrong = digest.with(0, (digest[0] ?? 0) ^ 1);
  const cases = [
    [verifyPkcs1, verifyPss, signPkcs1(privateKey, digest, 'sha256')],
    [verifyPss, verifyPkcs1, signPss(privateKey, digest, 'sha256', rng)],
  ] as const;
  for (const [check, otherScheme, signature] of cases) {
    assert.ok(check(publicKey, digest, signature, 'sha256'));
    assert.equal(check(publicKey, wrong, signature, 'sha256'), false);
    assert.equal(check(other.publicKey, digest, signature, 'sha256'), false);
    assert.equal(otherScheme(publicKey, digest, signature, 'sha256'), false);
    const longer = Uint8Array.from(createHash('sha384').update(MESSAGE).digest());
    assert.equal(check(publicKey, longer, signature, 'sha384'), false);
    for (const bad of [
      signature.subarray(1),
      new Uint8Array(0),
      new Uint8Array(256),
      new Uint8Array(256).fill(255),
    ])
      assert.equal(check(publicKey, digest, bad, 'sha256'), false);
    for (const at of [0, 100, 255]) {
      const changed = signature.with(at, (signature[at] ?? 0) ^ 1);
      assert.equal(check(publicKey, digest, changed, 'sha256'), false);
    }
  }
});

test('a signature without its leading zero byte does not verify', () => {
  const digest = Uint8Array.from(createHash('sha256').update(MESSAGE).digest());
  let signature = signPss(privateKey, digest, 'sha256', rng);
  while (signature[0] !== 0) signature = signPss(privateKey, digest, 'sha256', rng);
  assert.ok(verifyPss(publicKey, digest, signature, 'sha256'));
  assert.equal(verifyPss(publicKey, digest, signature.subarray(1), 'sha256'), false);
});

test('only moduli of 2,048 bits with small odd exponents are keys', () => {
  const bad: readonly Partial<RsaPublicKey>[] = [
    { modulus: publicKey.modulus.subarray(1) },
    { modulus: publicKey.modulus.with(0, 0x7f) },
    { modulus: publicKey.modulus.with(255, 0) },
    { exponent: new Uint8Array(0) },
    { exponent: Uint8Array.of(2) },
    { exponent: Uint8Array.of(0, 1, 0, 1, 1) },
  ];
  assert.ok(isRsaPublicKey(publicKey));
  for (const change of bad) assert.equal(isRsaPublicKey({ ...publicKey, ...change }), false);
});
