import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSefleetError } from '@sefleet/errors';
import { parseRecordTopic, recordTopic } from '../index.ts';

test('names the topic of a device', () => {
  assert.equal(
    recordTopic({ kind: 'obu', endpoint: 'urn:dev:sefleet:obu-000001' }),
    'sefleet/v1/obu/urn:dev:sefleet:obu-000001/records',
  );
});

test('reads back the topic of every endpoint name', () => {
  const kinds = fc.constantFrom('smart-meter' as const, 'obu' as const, 'rpm-gateway' as const);
  fc.assert(
    fc.property(kinds, fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme' }), (kind, endpoint) => {
      const topic = recordTopic({ kind, endpoint });
      assert.equal(topic.split('/').length, 5);
      assert.doesNotMatch(topic, /[+#]/);
      assert.deepEqual(parseRecordTopic(topic), { kind, endpoint });
    }),
  );
});

test('answers any other text with its own error', () => {
  const wrong = ['', 'sefleet/v1/obu/x', 'sefleet/v1/car/x/records', 'sefleet/v1/obu//records'];
  for (const topic of [...wrong, 'sefleet/v1/obu/%61/records', 'sefleet/v1/obu/%/records']) {
    assert.throws(() => parseRecordTopic(topic), { code: 'COSE_RECORD_MALFORMED' }, topic);
  }
  fc.assert(
    fc.property(fc.string(), (topic) => {
      try {
        parseRecordTopic(topic);
      } catch (error) {
        assert.ok(isSefleetError(error, 'COSE_RECORD_MALFORMED'));
      }
    }),
  );
});
