import assert from 'node:assert/strict';
import { createSecretKey, hkdfSync } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, toHex } from '@sefleet/bytes';
import { isSefleetError } from '@sefleet/errors';
import {
  A128GCM,
  AES_CCM_16_64_128,
  decodeRecordBatch,
  decodeRecordKeyId,
  decodeSealedRecord,
  decodeTelemetryRecord,
  deriveRecordKey,
  encodeRecordBatch,
  encodeRecordKeyId,
  encodeTelemetryRecord,
  MAX_BATCH_RECORDS,
  metricNamed,
  metricOf,
  METRICS,
  openTelemetryRecord,
  sealTelemetryRecord,
} from '../index.ts';

const endpoint = 'urn:dev:sefleet:meter-000001';
const masterKey = fromHex('000102030405060708090a0b0c0d0e0f');
const recordKey = deriveRecordKey(masterKey, endpoint);
const record = {
  sequence: 7,
  timestampMs: 1_700_000_000_000,
  values: [
    [1, 123_456],
    [2, 431.5],
  ],
} as const;
const seal = { endpoint, stakeholder: 'northern-power', keyVersion: 3, recordKey, record };

const isPeerError = (error: unknown): boolean => isSefleetError(error) && error.fault === 'peer';

const records = fc.record(
  {
    sequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    timestampMs: fc.integer({ min: 0, max: 253_402_300_799_999 }),
    values: fc.uniqueArray(
      fc.tuple(
        fc.integer({ min: 1, max: 65_535 }),
        fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (value === 0 ? 0 : value)),
      ),
      { minLength: 1, maxLength: 64, selector: ([id]) => id },
    ),
  },
  { noNullPrototype: true },
);

test('reads back every record that it writes', () => {
  fc.assert(
    fc.property(records, (original) => {
      assert.deepEqual(decodeTelemetryRecord(encodeTelemetryRecord(original)), original);
    }),
  );
});

test('opens every record that it sealed, with both algorithms', () => {
  fc.assert(
    fc.property(records, fc.constantFrom(AES_CCM_16_64_128, A128GCM), (original, algorithm) => {
      const sealed = decodeSealedRecord(sealTelemetryRecord({ ...seal, record: original, algorithm }));
      assert.equal(sealed.sequence, original.sequence);
      assert.equal(sealed.stakeholder, 'northern-power');
      assert.equal(sealed.keyVersion, 3);
      assert.deepEqual(openTelemetryRecord(sealed, createSecretKey(recordKey), endpoint), original);
    }),
  );
});

test('keeps its format: the bytes of a sealed record never change', () => {
  assert.equal(
    toHex(sealTelemetryRecord(seal)),
    'd08343a1010aa204506e6f72746865726e2d706f7765723a33054d0000000000000000000000000758232a9337e04874' +
      '66196eb10a483b946e80a512d1baccd982c1f202e598c77e1ec26708af',
  );
});

test('refuses a record in the name of another device', () => {
  const sealed = decodeSealedRecord(sealTelemetryRecord(seal));
  const other = 'urn:dev:sefleet:meter-000002';
  assert.throws(() => openTelemetryRecord(sealed, recordKey, other), { code: 'COSE_AUTHENTICATION_FAILED' });
  assert.throws(() => openTelemetryRecord(sealed, deriveRecordKey(masterKey, other), endpoint), isPeerError);
});

test('refuses a sealed record cut anywhere or followed by more', () => {
  const data = sealTelemetryRecord(seal);
  for (let length = 0; length < data.length; length++) {
    assert.throws(() => decodeSealedRecord(data.subarray(0, length)), isPeerError, `cut at ${length}`);
  }
  assert.throws(() => decodeSealedRecord(Uint8Array.from([...data, 0])), isPeerError);
});

test('answers random bytes with its own errors only', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (data) => {
      for (const decode of [
        decodeTelemetryRecord,
        decodeSealedRecord,
        decodeRecordBatch,
        decodeRecordKeyId,
      ]) {
        try {
          decode(data);
        } catch (error) {
          assert.ok(isPeerError(error), String(error));
        }
      }
    }),
    { numRuns: 2000 },
  );
});

const wrong: readonly (readonly [string, Parameters<typeof encodeTelemetryRecord>[0]])[] = [
  ['a fraction as sequence', { ...record, sequence: 1.5 }],
  ['a negative time', { ...record, timestampMs: -1 }],
  ['a time beyond the year 9999', { ...record, timestampMs: 253_402_300_800_000 }],
  ['no values', { ...record, values: [] }],
  [
    'a metric twice',
    {
      ...record,
      values: [
        [1, 1],
        [1, 2],
      ],
    },
  ],
  ['a metric id of 0', { ...record, values: [[0, 1]] }],
  ['an infinite value', { ...record, values: [[1, Number.POSITIVE_INFINITY]] }],
];
for (const [what, value] of wrong) {
  test(`does not write ${what}`, () =>
    assert.throws(() => encodeTelemetryRecord(value), { code: 'COSE_RECORD_INVALID' }));
}

test('does not seal a record that has no sequence yet', () => {
  assert.throws(() => sealTelemetryRecord({ ...seal, record: { ...record, sequence: 0 } }), {
    code: 'COSE_RECORD_INVALID',
  });
});

test('derives a device key by HKDF with the endpoint as info', () => {
  const info = Buffer.concat([Buffer.from('sefleet record key v1'), Buffer.of(0), Buffer.from(endpoint)]);
  assert.deepEqual(recordKey, new Uint8Array(hkdfSync('sha256', masterKey, new Uint8Array(), info, 16)));
  assert.notDeepEqual(recordKey, deriveRecordKey(masterKey, `${endpoint}x`));
  assert.throws(() => deriveRecordKey(new Uint8Array(15), endpoint), { code: 'COSE_KEY_INVALID' });
});

test('writes a key identifier as stakeholder and version', () => {
  const data = encodeRecordKeyId({ stakeholder: 'northern-power', keyVersion: 3 });
  assert.equal(Buffer.from(data).toString(), 'northern-power:3');
  assert.deepEqual(decodeRecordKeyId(data), { stakeholder: 'northern-power', keyVersion: 3 });
  for (const text of [
    '',
    'a',
    'a:',
    'a:0',
    'a:01',
    'a:1:2',
    'A:1',
    '-a:1',
    'a:4294967296',
    `${'a'.repeat(64)}:1`,
  ]) {
    assert.throws(() => decodeRecordKeyId(Buffer.from(text)), { code: 'COSE_RECORD_MALFORMED' }, text);
  }
});

test('puts records into a batch and reads one that stands alone', () => {
  const one = sealTelemetryRecord(seal);
  assert.deepEqual(decodeRecordBatch(one), [one]);
  assert.deepEqual(decodeRecordBatch(encodeRecordBatch([one, one])), [one, one]);
  assert.throws(() => encodeRecordBatch([]), { code: 'COSE_RECORD_INVALID' });
  const tooMany = Array.from({ length: MAX_BATCH_RECORDS + 1 }, () => Uint8Array.of(0));
  assert.throws(() => encodeRecordBatch(tooMany), { code: 'COSE_RECORD_INVALID' });
});

test('gives every metric an id, a name and a unit of its own', () => {
  assert.equal(new Set(METRICS.map(({ id }) => id)).size, METRICS.length);
  assert.equal(new Set(METRICS.map(({ name }) => name)).size, METRICS.length);
  assert.equal(metricNamed('heartRate')?.id, 64);
  assert.deepEqual(metricOf(9999), { id: 9999, name: 'metric9999', unit: '' });
});
