import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  cardKeyReference,
  parseCardKeyReference,
  parseStakeholderIdentity,
  stakeholderIdentity,
} from './stakeholder-account.ts';

test('an identity tells whose account of which device it is', () => {
  const identity = stakeholderIdentity('northern-power', 'urn:dev:sefleet:meter-000001');
  equal(identity, 'sp:northern-power:urn:dev:sefleet:meter-000001');
  deepEqual(parseStakeholderIdentity(identity), {
    stakeholder: 'northern-power',
    endpoint: 'urn:dev:sefleet:meter-000001',
  });
  for (const other of ['', 'sp:', 'sp:x', 'sp::y', 'sp:x:', 'sp:X:y', 'bs:x:y', 'urn:dev:sefleet:obu-1'])
    equal(parseStakeholderIdentity(other), undefined, other);
});

test('a reference into a card is read as it was written, and a key is none', () => {
  const reference = fc.record(
    {
      container: fc.nat(255),
      application: fc
        .uint8Array({ minLength: 5, maxLength: 16 })
        .map((aid) => Buffer.from(aid).toString('hex')),
    },
    { requiredKeys: ['container'] },
  );
  fc.assert(
    fc.property(reference, (given) => {
      deepEqual(parseCardKeyReference(cardKeyReference(given)), { ...given });
    }),
  );
  for (const key of ['se:', 'se:1@', 'se:1@XYZ', 'se:1234', 'se:1@f05345464c54030111 ', '0123456789abcdef'])
    equal(parseCardKeyReference(Buffer.from(key)), undefined, key);
});
