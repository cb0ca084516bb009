import { deepEqual, equal, ok } from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Pace } from './pace.ts';

const MINUTE_MS = 60_000;
const START = Date.UTC(2026, 5, 1, 20);

/** Comes as often as it may at each look; the times at which somebody came through. */
function run(pace: Pace, looks: readonly number[], wanted: () => number): number[] {
  const passed: number[] = [];
  for (const now of looks) {
    let left = wanted();
    while (left > 0 && pace.take(now)) {
      passed.push(now);
      left--;
    }
    pace.leave(left > 0);
  }
  return passed;
}

/** The most that came through in any span of a minute. */
function busiestMinute(passed: readonly number[]): number {
  let most = 0;
  let first = 0;
  for (const [i, at] of passed.entries()) {
    while ((passed[first] ?? at) <= at - MINUTE_MS) first++;
    most = Math.max(most, i - first + 1);
  }
  return most;
}

/** Looks at `steps` from each other. */
function looksAt(steps: readonly number[]): number[] {
  let now = START;
  return steps.map((step) => (now += step));
}

const rates = fc.integer({ min: 1, max: 3000 });
const steps = fc.array(fc.oneof(fc.nat(50), fc.nat(7000), fc.nat(200_000)), { minLength: 1, maxLength: 80 });

describe('a pace', () => {
  it('never lets more through in any minute, however the clock moves and whoever comes', () => {
    fc.assert(
      fc.property(rates, steps, fc.infiniteStream(fc.nat(5000)), (rate, moves, crowds) => {
        const passed = run(new Pace(rate), looksAt(moves), () => crowds.next().value ?? 0);
        ok(busiestMinute(passed) <= rate, `${busiestMinute(passed)} of ${rate}`);
      }),
    );
  });

  it('keeps that over restarts: nothing is forgotten, and nothing is made up for', () => {
    fc.assert(
      fc.property(rates, steps, fc.array(fc.nat(79), { maxLength: 6 }), (rate, moves, restarts) => {
        let pace = new Pace(rate);
        const passed = looksAt(moves).flatMap((now, i) => {
          if (restarts.includes(i)) pace = new Pace(rate, JSON.parse(JSON.stringify(pace.state)));
          return run(pace, [now], () => 5000);
        });
        ok(busiestMinute(passed) <= rate, `${busiestMinute(passed)} of ${rate}`);
      }),
    );
  });

  it('lets all come through in the time that the rate says, on a clock that moves a little at a time', () => {
    fc.assert(
      fc.property(rates, fc.integer({ min: 1, max: 400 }), (rate, crowd) => {
        const limit = START + (crowd / rate) * MINUTE_MS + 500;
        let left = crowd;
        const pace = new Pace(rate);
        for (let now = START; now <= limit; now += 100) left -= run(pace, [now], () => left).length;
        equal(left, 0);
      }),
    );
  });

  it('lets all come through when the clock jumps to the times that it names, and to no others', () => {
    fc.assert(
      fc.property(rates, fc.integer({ min: 1, max: 2000 }), (rate, crowd) => {
        const pace = new Pace(rate);
        let now = START;
        let left = crowd;
        for (let looks = 0; left > 0; looks++) {
          ok(looks <= 2 * crowd + 2, `${left} of ${crowd} are left after ${looks} looks`);
          left -= run(pace, [now], () => left).length;
          const next = pace.nextAt(now);
          ok(left === 0 || next > now);
          now = next;
        }
        ok(now - START <= (crowd / rate + 2) * MINUTE_MS + 2000);
      }),
    );
  });

  it('does not save up the time in which nobody came: a crowd after an hour goes one by one', () => {
    const pace = new Pace(60);
    const passed = run(pace, [START], () => 1);
    passed.push(...run(pace, looksAt([3_600_000, 1, 1, 998, 1]), () => 100));
    deepEqual(
      passed.map((at) => at - START),
      [0, 3_600_000, 3_601_000],
    );
  });

  it('says when there is room again', () => {
    const pace = new Pace(6);
    equal(pace.nextAt(START), START);
    ok(pace.take(START));
    pace.leave(true);
    equal(pace.nextAt(START), START + 10_000);
    equal(run(pace, [START + 35_000], () => 10).length, 3);
  });
});
