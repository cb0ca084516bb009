import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '@sefleet/bytes';
import { commandTimeMs } from './command-time.ts';
import {
  computedMs,
  JAVA_CARD_2015,
  TLS_FULL_SESSION,
  TLS_RECORD_1024,
  TLS_RESUMED_SESSION,
  tlsExchangeMs,
} from './timing-profile.ts';

test('the profile reproduces the published times of TLS in a secure element', () => {
  const rows: readonly (readonly [typeof TLS_FULL_SESSION, number, number])[] = [
    [TLS_FULL_SESSION, 878, 1300],
    [TLS_RESUMED_SESSION, 105, 360],
    [TLS_RECORD_1024, 153, 415],
  ];
  for (const [count, computed, measured] of rows) {
    assert.ok(Math.abs(computedMs(JAVA_CARD_2015, count) - computed) <= 1);
    assert.ok(Math.abs(tlsExchangeMs(JAVA_CARD_2015, count) / measured - 1) <= 0.01);
  }
});

test('longer and protected commands take longer, and nonsense takes its transport', () => {
  const time = (apdu: string, response = '9000'): number =>
    commandTimeMs(JAVA_CARD_2015, fromHex(apdu), fromHex(response));
  assert.ok(time('00a4040000') < time('8050000008010203040506070800'));
  assert.ok(time('80e2800010' + '00'.repeat(16)) < time('80e2800020' + '00'.repeat(32)));
  assert.ok(time('80f28002024f0000') < time('84f280020a4f00' + '00'.repeat(8) + '00'));
  assert.ok(time('00a404') < 5);
  const sign = '002b800122' + '9e20' + '00'.repeat(32);
  const signature = '00'.repeat(66) + '9000';
  assert.ok(time(sign, signature) > 60);
  assert.ok(time(sign.replace('002b80', '002b00')) < 60, 'only the last part is signed');
  assert.equal(time(`81${sign.slice(2)}`, signature), time(sign, signature), 'in either class');
  assert.ok(time(sign, '00'.repeat(260) + '9000') > 3000, 'RSA of 2,048 bits on such a chip');
});
