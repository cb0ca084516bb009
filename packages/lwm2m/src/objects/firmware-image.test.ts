import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSefleetError } from '@sefleet/errors';
import fc from 'fast-check';
import { decodeFirmwareImage, encodeFirmwareImage, encodeFirmwareManifest } from './firmware-image.ts';

const SIGNATURE = new Uint8Array(64).fill(5);
const manifest = (payload: Uint8Array) => ({
  kind: 'smart-meter',
  versionNumber: 7,
  version: '1.2.0',
  payloadBytes: payload.length,
  payloadHash: new Uint8Array(32).fill(9),
});
const refused = (error: unknown): boolean => isSefleetError(error, 'LWM2M_CONTENT_INVALID');

test('an image reads as it was written', () => {
  const name = fc.string({ minLength: 1, maxLength: 10, unit: 'grapheme-ascii' });
  fc.assert(
    fc.property(
      name,
      fc.nat(),
      name,
      fc.uint8Array({ maxLength: 300 }),
      (kind, versionNumber, version, payload) => {
        const written = { ...manifest(payload), kind, versionNumber, version };
        const image = encodeFirmwareImage(written, SIGNATURE, payload);
        const read = decodeFirmwareImage(image);
        assert.deepEqual(read.manifest, written);
        assert.deepEqual(read.signed, encodeFirmwareManifest(written));
        assert.deepEqual(read.signature, SIGNATURE);
        assert.deepEqual(read.payload, payload);
        assert.deepEqual(encodeFirmwareImage(read.manifest, read.signature, read.payload), image);
      },
    ),
  );
});

test('refuses an image cut at every byte, and one with bytes left over', () => {
  const payload = new Uint8Array(20).fill(1);
  const image = encodeFirmwareImage(manifest(payload), SIGNATURE, payload);
  for (let length = 0; length < image.length; length++) {
    assert.throws(() => decodeFirmwareImage(image.subarray(0, length)), refused);
  }
  assert.throws(() => decodeFirmwareImage(Uint8Array.of(...image, 0)), refused);
  assert.throws(() => decodeFirmwareImage(image.with(4, 2)), refused);
  assert.throws(() => decodeFirmwareImage(image.with(6, 0xff)), refused);
});

test('random bytes give its own decode error and nothing else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.throws(() => decodeFirmwareImage(bytes), refused);
    }),
  );
});

test('a manifest out of its limits is the error of whoever writes it', () => {
  const own = (error: unknown): boolean => isSefleetError(error, 'LWM2M_VALUE_INVALID');
  const good = manifest(new Uint8Array(0));
  assert.throws(() => encodeFirmwareManifest({ ...good, kind: '' }), own);
  assert.throws(() => encodeFirmwareManifest({ ...good, version: 'x'.repeat(33) }), own);
  assert.throws(() => encodeFirmwareManifest({ ...good, versionNumber: -1 }), own);
  assert.throws(() => encodeFirmwareImage(good, SIGNATURE, Uint8Array.of(1)), own);
});
