import { deepEqual, equal, ok } from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { reasonToStop, stopNeeds, waveLimits } from './waves.ts';

describe('waves', () => {
  it('are shares of all meters, and the rest follows', () => {
    deepEqual(waveLimits(1000, [1, 10]), [10, 110, 1000]);
    deepEqual(waveLimits(1000, []), [1000]);
    deepEqual(waveLimits(10, [50, 50]), [5, 10]);
    deepEqual(waveLimits(3, [1, 1, 1, 1]), [1, 2, 3, 3]);
  });

  it('grow, begin with somebody, and end with everybody', () => {
    const shares = fc.array(fc.double({ min: 0.01, max: 30, noNaN: true }), { maxLength: 3 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), shares, (total, waves) => {
        const limits = waveLimits(total, waves);
        ok(limits.every((limit, i) => limit >= (limits[i - 1] ?? 1) && limit <= total));
        equal(limits.at(-1), total);
      }),
    );
  });
});

describe('a switch stops by itself', () => {
  it('when enough meters have passed and more than the share of them failed', () => {
    equal(reasonToStop({ passed: 19, failed: 19 }, 10, stopNeeds(1000, [])), undefined);
    ok(reasonToStop({ passed: 20, failed: 3 }, 10, stopNeeds(1000, []))?.includes('3 of 20'));
    equal(reasonToStop({ passed: 20, failed: 2 }, 10, stopNeeds(1000, [])), undefined);
    equal(reasonToStop({ passed: 20, failed: 20 }, 0, stopNeeds(1000, [])), undefined);
  });

  it('after a first wave that is smaller than that', () => {
    equal(stopNeeds(1000, [1]), 10);
    equal(stopNeeds(1000, [50]), 20);
    const needs = stopNeeds(40, [10]);
    equal(reasonToStop({ passed: 3, failed: 3 }, 20, needs), undefined);
    ok(reasonToStop({ passed: 4, failed: 2 }, 20, needs)?.startsWith('2 of 4'));
  });
});
