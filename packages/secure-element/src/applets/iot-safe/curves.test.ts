import assert from 'node:assert/strict';
import { createHash, createPublicKey } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, toHex } from '@sefleet/bytes';
import { seededRng } from '../../testing/card-fixture.ts';
import {
  agree,
  BRAINPOOL_P256R1,
  derSignature,
  generateKeyPair,
  P256,
  publicKeyOf,
  signDigest,
  signMessage,
  subjectPublicKeyInfo,
  verifyDigest,
  verifyMessage,
} from './curves.ts';

const rng = seededRng('curves');
const digestOf = (message: Uint8Array): Uint8Array => createHash('sha256').update(message).digest();

for (const curve of [P256, BRAINPOOL_P256R1]) {
  test(`${curve.name}: signatures over a message and over its digest are the same thing, both ways`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (message) => {
        const pair = generateKeyPair(curve, rng);
        const digest = digestOf(message);
        const ours = signDigest(curve, pair.privateKey, digest, rng);
        assert.ok(verifyMessage(curve, pair.publicKey, message, ours, 'sha256'));
        const theirs = signMessage(curve, pair, message, 'sha256');
        assert.ok(verifyDigest(curve, pair.publicKey, digest, theirs));
      }),
      { numRuns: 30 },
    );
  });

  test(`${curve.name}: longer digests are cut to the order’s length`, () => {
    const pair = generateKeyPair(curve, rng);
    const message = Uint8Array.of(1, 2, 3);
    for (const hash of ['sha384', 'sha512']) {
      const digest = createHash(hash).update(message).digest();
      const signature = signDigest(curve, pair.privateKey, digest, rng);
      assert.ok(verifyMessage(curve, pair.publicKey, message, signature, hash));
      assert.ok(verifyDigest(curve, pair.publicKey, digest, signMessage(curve, pair, message, hash)));
    }
  });

  test(`${curve.name}: another digest, another key and a changed signature do not verify`, () => {
    const pair = generateKeyPair(curve, rng);
    const digest = digestOf(Uint8Array.of(1));
    const signature = signDigest(curve, pair.privateKey, digest, rng);
    const holds = (key: Uint8Array, given: Uint8Array, raw: Uint8Array): boolean =>
      verifyDigest(curve, key, given, raw);
    assert.ok(holds(pair.publicKey, digest, signature));
    assert.equal(holds(pair.publicKey, digestOf(Uint8Array.of(2)), signature), false);
    assert.equal(holds(generateKeyPair(curve, rng).publicKey, digest, signature), false);
    for (const at of [0, 31, 32, 63]) {
      const changed = signature.with(at, (signature[at] ?? 0) ^ 1);
      assert.equal(holds(pair.publicKey, digest, changed), false);
    }
    assert.equal(holds(pair.publicKey, digest, new Uint8Array(64)), false);
    assert.equal(holds(pair.publicKey, digest, new Uint8Array(64).fill(0xff)), false);
    assert.equal(holds(pair.publicKey, digest, signature.subarray(1)), false);
  });
}

test('the published brainpoolP256r1 agreement is met (RFC 7027 appendix A.1)', () => {
  const dA = fromHex('81DB1EE100150FF2EA338D708271BE38300CB54241D79950F77B063039804F1D');
  const dB = fromHex('55E40BC41E37E3E2AD25C3C6654511FFA8474A91A0032087593852D3E7D76BD3');
  const pointB = publicKeyOf(BRAINPOOL_P256R1, dB);
  assert.equal(
    toHex(pointB).toUpperCase(),
    '048D2D688C6CF93E1160AD04CC4429117DC2C41825E1E9FCA0ADDD34E6F1B39F7B990C57520812BE512641E47034832106BC7D3E8DD0E4C7F1136D7006547CEC6A',
  );
  assert.equal(
    toHex(agree(BRAINPOOL_P256R1, dA, pointB) ?? new Uint8Array(0)).toUpperCase(),
    '89AFC39D41D3B327814B80940B042590F96556EC91E6AE7939BCE31F3A18BF2B',
  );
});

test('SubjectPublicKeyInfo is what OpenSSL writes for either curve', () => {
  for (const curve of [P256, BRAINPOOL_P256R1]) {
    const spki = Buffer.from(subjectPublicKeyInfo(curve, generateKeyPair(curve, rng).publicKey));
    const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
    assert.deepEqual(key.export({ format: 'der', type: 'spki' }), spki);
  }
});

test('a DER signature has minimal integers', () => {
  const raw = new Uint8Array(64);
  raw[31] = 0x80;
  raw[63] = 0x01;
  assert.equal(toHex(derSignature(raw)), '300702020080020101');
});
