import { randomFillSync } from 'node:crypto';
import type { Timer } from '../clock.ts';
import type { Rng } from '../rng.ts';
import type { Runtime } from '../runtime.ts';
import { TimerWheel } from '../timer-wheel.ts';

/** A {@link Runtime} on the real clock, one timer wheel and the system's random numbers. */
export interface NodeRuntime extends Runtime {
  /** Stops the wheel; timers that have not run never will. */
  close(): void;
}

/**
 * The real world. One a process is enough: its wheel serves every device.
 *
 * @param options.tickMs how late a timer may be, in milliseconds
 */
export function createNodeRuntime(options: { readonly tickMs?: number } = {}): NodeRuntime {
  const tickMs = options.tickMs ?? 5;
  const clock = { monotonicMs: () => performance.now(), wallMs: () => Date.now() };
  const wheel = new TimerWheel(clock.monotonicMs(), tickMs);
  let ticking: NodeJS.Timeout | undefined;
  const tick = (): void => {
    wheel.advance(clock.monotonicMs());
    if (wheel.active === 0) stop();
  };
  const stop = (): void => {
    clearInterval(ticking);
    ticking = undefined;
  };
  const after = (delayMs: number, run: () => void): Timer => {
    if (ticking === undefined) {
      // An idle wheel has not been turned: bring it to now before anything is put on it.
      wheel.advance(clock.monotonicMs());
      ticking = setInterval(tick, tickMs);
    }
    return wheel.at(clock.monotonicMs() + delayMs, run);
  };
  return { clock, timers: { after }, rng: createSystemRng(), close: stop };
}

/**
 * Random numbers of the operating system, fetched in blocks because small requests cost as much as large
 * ones.
 */
function createSystemRng(): Rng {
  const pool = new Uint8Array(8192);
  let used = pool.length;
  const take = (length: number): Uint8Array => {
    if (length > pool.length) return randomFillSync(new Uint8Array(length));
    if (used + length > pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    const taken = pool.slice(used, used + length);
    pool.fill(0, used, used + length);
    used += length;
    return taken;
  };
  return {
    bytes: take,
    fraction: () => {
      const [a = 0, b = 0, c = 0, d = 0] = take(4);
      return (a * 0x1000000 + b * 0x10000 + c * 0x100 + d) / 0x100000000;
    },
  };
}
