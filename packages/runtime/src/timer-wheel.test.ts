import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TimerWheel } from './timer-wheel.ts';

test('fires every timer once, in order of deadline, never early, at most one tick late', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(500), { maxLength: 60 }),
      fc.integer({ min: 1, max: 20 }),
      (delays, tickMs) => {
        const wheel = new TimerWheel(0, tickMs, 16);
        const fired: { at: number; delay: number }[] = [];
        let now = 0;
        for (const delay of delays) wheel.at(delay, () => fired.push({ at: now, delay }));
        while (wheel.active > 0) {
          now += 1;
          wheel.advance(now);
        }
        assert.equal(fired.length, delays.length);
        for (const { at, delay } of fired) {
          assert.ok(at >= delay, `fired at ${at}, due at ${delay}`);
          assert.ok(at <= Math.max(delay, 1) + tickMs, `fired at ${at}, due at ${delay}, tick ${tickMs}`);
        }
        const order = fired.map(({ at }) => at);
        assert.deepEqual(
          order,
          order.toSorted((a, b) => a - b),
        );
      },
    ),
  );
});

test('does not fire what was cancelled, and cancels in any order', () => {
  const wheel = new TimerWheel(0, 5, 4);
  const fired: number[] = [];
  const timers = [10, 30, 30, 50].map((deadline, i) => wheel.at(deadline, () => fired.push(i)));
  timers[2]?.cancel();
  timers[2]?.cancel();
  timers[0]?.cancel();
  assert.equal(wheel.active, 2);
  wheel.advance(1000);
  assert.deepEqual(fired, [1, 3]);
  timers[1]?.cancel();
  assert.equal(wheel.active, 0);
});

test('a timer that a callback starts or cancels is respected', () => {
  const wheel = new TimerWheel(0, 1, 8);
  const fired: string[] = [];
  wheel.at(5, () => {
    fired.push('a');
    victim.cancel();
    wheel.at(6, () => fired.push('c'));
  });
  const victim = wheel.at(5, () => fired.push('b'));
  wheel.advance(5);
  assert.deepEqual(fired, ['a']);
  wheel.advance(20);
  assert.deepEqual(fired, ['a', 'c']);
});

test('catches up after a pause longer than the wheel', () => {
  const wheel = new TimerWheel(0, 1, 8);
  const fired: number[] = [];
  for (const deadline of [3, 90, 200]) wheel.at(deadline, () => fired.push(deadline));
  wheel.advance(150);
  assert.deepEqual(fired, [3, 90]);
  wheel.advance(200);
  assert.deepEqual(fired, [3, 90, 200]);
});
