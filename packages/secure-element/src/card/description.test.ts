import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex } from '@sefleet/bytes';
import { aesKeyCheckValue, CARD_LIFE_CYCLE, PRIVILEGE } from '@sefleet/globalplatform';
import { ISSUER_KEYS, newCard } from '../testing/card-fixture.ts';
import { describeCard } from './description.ts';

test('a description names the keys by check value and holds none of them', () => {
  const described = describeCard(newCard());
  const [issuer] = described.entries;
  assert.ok(issuer !== undefined);
  assert.equal(described.lifeCycle, CARD_LIFE_CYCLE.SECURED);
  assert.equal(issuer.parent, issuer.aid);
  assert.notEqual(issuer.privileges & PRIVILEGE.SECURITY_DOMAIN, 0);
  const { enc, mac, dek } = ISSUER_KEYS;
  assert.deepEqual(
    issuer.keys.map(({ id, checkValue }) => [id, toHex(checkValue)]),
    [enc, mac, dek].map((key, i) => [i + 1, toHex(aesKeyCheckValue(key))]),
  );
  const text = JSON.stringify(described, (_, value: unknown) =>
    value instanceof Uint8Array ? toHex(value) : value,
  );
  for (const key of [enc, mac, dek]) assert.ok(!text.includes(toHex(key)));
});

test('what an entry uses and what is free add up to the memory of the chip', () => {
  const described = describeCard(newCard());
  const used = described.entries[0]?.usedBytes ?? 0;
  assert.ok(used > 0);
  assert.equal(described.freeBytes + used, described.memoryBytes);
});
