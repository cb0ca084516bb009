import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { toHex } from '@sefleet/bytes';
import { seededRng } from '../../testing/card-fixture.ts';
import {
  derSignature,
  generateKeyPair,
  signDigest,
  signMessage,
  verifyDigest,
  verifyMessage,
} from './p256.ts';

const rng = seededRng('p256');
const digestOf = (message: Uint8Array): Uint8Array => createHash('sha256').update(message).digest();

test('signatures over a message and over its digest are the same thing, both ways', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (message) => {
      const pair = generateKeyPair(rng);
      const digest = digestOf(message);
      assert.ok(verifyMessage(pair.publicKey, message, signDigest(pair.privateKey, digest, rng)));
      assert.ok(verifyDigest(pair.publicKey, digest, signMessage(pair, message)));
    }),
    { numRuns: 30 },
  );
});

test('another digest, another key and a changed signature do not verify', () => {
  const pair = generateKeyPair(rng);
  const digest = digestOf(Uint8Array.of(1));
  const signature = signDigest(pair.privateKey, digest, rng);
  assert.ok(verifyDigest(pair.publicKey, digest, signature));
  assert.equal(verifyDigest(pair.publicKey, digestOf(Uint8Array.of(2)), signature), false);
  assert.equal(verifyDigest(generateKeyPair(rng).publicKey, digest, signature), false);
  for (const at of [0, 31, 32, 63]) {
    const changed = signature.with(at, (signature[at] ?? 0) ^ 1);
    assert.equal(verifyDigest(pair.publicKey, digest, changed), false);
  }
  assert.equal(verifyDigest(pair.publicKey, digest, new Uint8Array(64)), false);
  assert.equal(verifyDigest(pair.publicKey, digest, new Uint8Array(64).fill(0xff)), false);
  assert.equal(verifyDigest(pair.publicKey, digest, signature.subarray(1)), false);
});

test('a DER signature has minimal integers', () => {
  const raw = new Uint8Array(64);
  raw[31] = 0x80;
  raw[63] = 0x01;
  assert.equal(toHex(derSignature(raw)), '300702020080020101');
});
