import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { encode } from 'cborg';
import fc from 'fast-check';
import { fromHex, toHex } from '@sefleet/bytes';
import { isSefleetError } from '@sefleet/errors';
import {
  COSE_ALGORITHMS,
  COSE_ERRORS,
  decodeEncrypt0,
  encodeEncrypt0,
  openEncrypt0,
  sealEncrypt0,
} from '../index.ts';

interface Vector {
  readonly name: string;
  readonly fail: boolean;
  readonly key: string;
  readonly externalAad: string;
  readonly plaintext: string;
  readonly iv: string;
  readonly object: string;
}

const path = new URL('../../../../test/fixtures/vectors/cose-encrypt0.json', import.meta.url);
// The file is ours and its shape is the interface above.
const { vectors } = JSON.parse(readFileSync(path, 'utf8')) as { readonly vectors: readonly Vector[] };

const isPeerError = (error: unknown): boolean =>
  isSefleetError(error) && error.code in COSE_ERRORS && error.fault === 'peer';

for (const vector of vectors.filter(({ fail }) => !fail)) {
  test(`opens and re-encodes the published object ${vector.name}`, () => {
    const data = fromHex(vector.object);
    const object = decodeEncrypt0(data);
    const opened = openEncrypt0(object, fromHex(vector.key), fromHex(vector.externalAad));
    assert.equal(Buffer.from(opened).toString(), vector.plaintext);
    assert.equal(toHex(encodeEncrypt0(object)), vector.object);
  });
}

const sealable = vectors.filter(
  (vector) => !vector.fail && !vector.name.endsWith('-01') && !vector.name.endsWith('pass-03'),
);
for (const vector of [...sealable, ...vectors.filter(({ name }) => name.endsWith('enc-01'))]) {
  test(`seals to the published bytes of ${vector.name}`, () => {
    const object = sealEncrypt0({
      algorithm: decodeEncrypt0(fromHex(vector.object)).algorithm,
      key: fromHex(vector.key),
      iv: fromHex(vector.iv),
      plaintext: Buffer.from(vector.plaintext),
      externalAad: fromHex(vector.externalAad),
    });
    assert.equal(toHex(object), vector.object);
  });
}

for (const vector of vectors.filter(({ fail }) => fail)) {
  test(`refuses the published bad object ${vector.name}`, () => {
    assert.throws(
      () =>
        openEncrypt0(
          decodeEncrypt0(fromHex(vector.object)),
          fromHex(vector.key),
          fromHex(vector.externalAad),
        ),
      isPeerError,
    );
  });
}

const algorithms = [...COSE_ALGORITHMS.values()];
const bytes = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });
const requests = fc.constantFrom(...algorithms).chain((algorithm) =>
  fc.record({
    algorithm: fc.constant(algorithm.id),
    key: bytes(algorithm.keyBytes),
    iv: bytes(algorithm.nonceBytes),
    keyId: fc.uint8Array({ maxLength: 20 }),
    plaintext: fc.uint8Array({ maxLength: 300 }),
    externalAad: fc.uint8Array({ maxLength: 40 }),
  }),
);

test('opens whatever it sealed, with every algorithm', () => {
  fc.assert(
    fc.property(requests, (request) => {
      const object = decodeEncrypt0(sealEncrypt0(request));
      assert.deepEqual(object.keyId, request.keyId);
      assert.deepEqual(openEncrypt0(object, request.key, request.externalAad), request.plaintext);
    }),
  );
});

test('refuses an object with any bit changed', () => {
  fc.assert(
    fc.property(requests, fc.nat(), fc.integer({ min: 0, max: 7 }), (request, at, bit) => {
      const whole = sealEncrypt0({ ...request, keyId: new Uint8Array() });
      const changed = Uint8Array.from(whole);
      const index = at % changed.length;
      changed[index] = (changed[index] ?? 0) ^ (1 << bit);
      try {
        const opened = openEncrypt0(decodeEncrypt0(changed), request.key, request.externalAad);
        // Only a label that carries nothing (the tag, the empty key identifier) may change unseen.
        assert.deepEqual(opened, request.plaintext);
      } catch (error) {
        assert.ok(isPeerError(error) || isSefleetError(error, 'COSE_KEY_INVALID'), String(error));
      }
    }),
  );
});

test('authenticates external data of any length as a CBOR byte string', () => {
  for (const length of [0, 23, 24, 255, 256, 65_535, 65_536]) {
    const externalAad = new Uint8Array(length).fill(7);
    const [key, iv, plaintext] = [new Uint8Array(16), new Uint8Array(12), Uint8Array.of(1, 2, 3)];
    const sealed = decodeEncrypt0(sealEncrypt0({ algorithm: 1, key, iv, plaintext, externalAad }));
    const cipher = createCipheriv('aes-128-gcm', key, iv);
    cipher.setAAD(encode(['Encrypt0', fromHex('a10101'), externalAad]));
    const expected = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
    assert.equal(Buffer.compare(sealed.ciphertext, expected), 0, `${length}`);
  }
});

test('refuses other external data and another key', () => {
  fc.assert(
    fc.property(requests, fc.uint8Array({ minLength: 1, maxLength: 4 }), (request, more) => {
      const object = decodeEncrypt0(sealEncrypt0(request));
      const aad = Uint8Array.from([...request.externalAad, ...more]);
      assert.throws(() => openEncrypt0(object, request.key, aad), isPeerError);
      const key = request.key.map((octet, index) => (index === 0 ? octet ^ 1 : octet));
      assert.throws(() => openEncrypt0(object, key, request.externalAad), isPeerError);
    }),
  );
});

test('refuses an object cut anywhere and one with trailing bytes', () => {
  const data = fromHex(vectors[0]?.object ?? '');
  for (let length = 0; length < data.length; length++) {
    assert.throws(() => decodeEncrypt0(data.subarray(0, length)), isPeerError, `cut at ${length}`);
  }
  assert.throws(() => decodeEncrypt0(Uint8Array.from([...data, 0])), isPeerError);
});

test('answers random bytes with its own error only', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (data) => {
      try {
        openEncrypt0(decodeEncrypt0(data), new Uint8Array(16));
      } catch (error) {
        assert.ok(isSefleetError(error), String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

const refused: readonly (readonly [string, string])[] = [
  ['a parameter in both buckets', 'd08343a10101a201010543010203 40'],
  ['a repeated label', 'd08345a201010101a1054c02d1f7e6f26c43d4868d87ce 41 00'],
  ['an unknown critical parameter', 'd0834aa2010102811903e71903e7'],
  ['a partial IV', 'd08343a10101a1064102 41 00'],
  ['detached ciphertext', 'd08343a10101a1054c02d1f7e6f26c43d4868d87ce f6'],
  ['an indefinite length', 'd09f43a10101a1054c02d1f7e6f26c43d4868d87ce4100ff'],
  ['another tag', 'd18343a10101a1054c02d1f7e6f26c43d4868d87ce4100'],
];
for (const [what, hex] of refused) {
  test(`refuses ${what}`, () => assert.throws(() => decodeEncrypt0(fromHex(hex)), isPeerError));
}

test('names a critical parameter that it does not understand', () => {
  const data = fromHex('d08348a2010102811903e7a1054c02d1f7e6f26c43d4868d87ce4100');
  assert.throws(() => decodeEncrypt0(data), { code: 'COSE_CRITICAL_UNSUPPORTED' });
});

test('passes over header parameters that it does not know', () => {
  const object = decodeEncrypt0(fromHex('d08343a10101a2054c02d1f7e6f26c43d4868d87ce1903e70141 00'));
  assert.equal(object.algorithm, 1);
});

test('refuses keys and IVs of a wrong length before anything is encrypted', () => {
  const request = {
    algorithm: 10,
    key: new Uint8Array(16),
    iv: new Uint8Array(13),
    plaintext: new Uint8Array(1),
  };
  assert.throws(() => sealEncrypt0({ ...request, key: new Uint8Array(15) }), { code: 'COSE_KEY_INVALID' });
  assert.throws(() => sealEncrypt0({ ...request, iv: new Uint8Array(12) }), { code: 'COSE_KEY_INVALID' });
  assert.throws(() => sealEncrypt0({ ...request, plaintext: new Uint8Array(65_536) }), {
    code: 'COSE_TOO_LONG',
  });
  assert.throws(() => sealEncrypt0({ ...request, algorithm: 24 }), { code: 'COSE_ALGORITHM_UNSUPPORTED' });
});
