import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex } from '@sefleet/bytes';
import { isSefleetError } from '@sefleet/errors';
import { decodeTariff, encodeTariff, MAX_RATES, rateAt, timePerRate } from './tariff.ts';
import type { Tariff } from './tariff.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A Monday, at midnight UTC. */
const MONDAY = Date.UTC(2026, 0, 5);
/** Rate 1 on workdays from 6 to 22 by UTC+1, rate 2 else. */
const TARIFF: Tariff = {
  offsetMinutes: 60,
  switches: [
    { days: 0x1f, minute: 360, rate: 1 },
    { days: 0x7f, minute: 1320, rate: 2 },
  ],
};

const PLAIN = { noNullPrototype: true } as const;
const tariffs: fc.Arbitrary<Tariff> = fc.record(
  {
    offsetMinutes: fc.integer({ min: -720, max: 840 }),
    switches: fc.array(
      fc.record(
        {
          days: fc.integer({ min: 1, max: 0x7f }),
          minute: fc.integer({ min: 0, max: 1439 }),
          rate: fc.integer({ min: 1, max: MAX_RATES }),
        },
        PLAIN,
      ),
      { minLength: 1, maxLength: 16 },
    ),
  },
  PLAIN,
);

test('the rate follows day and hour by the tariff’s own time', () => {
  const at = (day: number, hour: number): number => rateAt(TARIFF, MONDAY + day * DAY_MS + hour * HOUR_MS);
  assert.deepEqual([at(0, 4.9), at(0, 5), at(0, 20.9), at(0, 21)], [2, 1, 1, 2]);
  assert.deepEqual([at(4, 12), at(5, 12), at(6, 12)], [1, 2, 2], 'a weekend goes on as Friday ended');
  assert.equal(rateAt(TARIFF, 0), 2, '1970 began on a Thursday, at one o’clock by UTC+1');
  assert.equal(rateAt(TARIFF, 12 * HOUR_MS), 1);
});

test('the time between two readings is shared out among the rates, across days and weeks', () => {
  const of = (from: number, until: number): readonly number[] =>
    timePerRate(TARIFF, MONDAY + from * HOUR_MS, MONDAY + until * HOUR_MS)
      .slice(0, 2)
      .map((ms) => ms / HOUR_MS);
  assert.deepEqual(of(0, 24), [16, 8]);
  assert.deepEqual(of(4, 6), [1, 1]);
  assert.deepEqual(of(0, 7 * 24), [80, 88]);
  assert.deepEqual(of(4, 4 + 100 * 7 * 24 + 2), [8001, 8801]);
});

test('a tariff is read as it was written', () => {
  fc.assert(fc.property(tariffs, (tariff) => assert.deepEqual(decodeTariff(encodeTariff(tariff)), tariff)));
});

test('times add up, and the rate at an instant is the one that gets the time after it', () => {
  const instant = fc.integer({ min: 0, max: 4_000_000_000_000 });
  fc.assert(
    fc.property(tariffs, instant, fc.integer({ min: 1, max: 40 * DAY_MS }), (tariff, from, spanMs) => {
      const spans = timePerRate(tariff, from, from + spanMs);
      assert.equal(
        spans.reduce((sum, ms) => sum + ms, 0),
        spanMs,
      );
      const [next] = timePerRate(tariff, from, from + 1).flatMap((ms, i) => (ms > 0 ? [i + 1] : []));
      assert.equal(next, rateAt(tariff, from));
    }),
  );
});

test('what is no tariff is refused', () => {
  const ok = Buffer.from(encodeTariff(TARIFF));
  for (let length = 0; length < ok.length; length++) {
    assert.throws(() => decodeTariff(ok.subarray(0, length)), isSefleetError);
  }
  for (const bad of [
    '8002003c8100',
    '8002003c810400000001',
    '8002003c810480000001',
    '8002003c81047f05a001',
    '8002003c81047f000000',
    '8002003c81047f000009',
    '8002035081047f000001',
    '80023c81047f000001',
    '8002003c8144' + '7f000001'.repeat(17),
  ]) {
    assert.throws(() => decodeTariff(fromHex(bad)), isSefleetError, bad);
  }
});
