import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SimRuntime } from '@sefleet/runtime/sim';
import { DeviceLocks } from './device-locks.ts';

test('gives a device to one holder at a time, in the order of asking', async () => {
  const runtime = new SimRuntime(1);
  const locks = new DeviceLocks(runtime.timers);
  const log: string[] = [];
  const hold = async (name: string, ms: number): Promise<void> => {
    const release = await locks.acquire('meter', 10_000);
    log.push(`+${name}`);
    runtime.timers.after(ms, () => {
      log.push(`-${name}`);
      release();
      release();
    });
  };
  void hold('a', 100);
  void hold('b', 10);
  void hold('c', 10);
  await runtime.advance(1000);
  assert.deepEqual(log, ['+a', '-a', '+b', '-b', '+c', '-c']);
  await locks.acquire('meter', 1);
});

test('gives up waiting after a while, and does not block those behind', async () => {
  const runtime = new SimRuntime(2);
  const locks = new DeviceLocks(runtime.timers);
  const release = await locks.acquire('meter', 1000);
  const impatient = locks.acquire('meter', 50);
  const patient = locks.acquire('meter', 5000);
  const refused = assert.rejects(impatient, { code: 'LWM2M_APDU_LOCK_TIMEOUT' });
  await runtime.advance(100);
  await refused;
  release();
  (await patient)();
  assert.equal(runtime.activeTimers, 0);
});

test('never has two holders, whatever the order of events', async () => {
  const orders = fc.array(fc.record({ holdMs: fc.nat(50), waitMs: fc.nat(100) }), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(orders, async (asked) => {
      const runtime = new SimRuntime(3);
      const locks = new DeviceLocks(runtime.timers);
      let holders = 0;
      for (const { holdMs, waitMs } of asked) {
        const granted = (release: () => void): void => {
          assert.equal(++holders, 1);
          runtime.timers.after(holdMs, () => {
            holders--;
            release();
          });
        };
        void locks.acquire('meter', waitMs).then(granted, () => {});
      }
      await runtime.advance(10_000);
      assert.equal(holders, 0);
    }),
    { numRuns: 30 },
  );
});
