import type { Timer } from '../clock.ts';
import type { Rng } from '../rng.ts';
import type { Runtime } from '../runtime.ts';

interface Pending {
  readonly dueMs: number;
  readonly order: number;
  run: (() => void) | undefined;
}

/**
 * A world on a virtual clock: nothing happens but in {@link SimRuntime.advance}, and the same seed repeats
 * it.
 */
export class SimRuntime implements Runtime {
  #nowMs = 0;
  #order = 0;
  #pending: Pending[] = [];
  readonly #wallStartMs: number;
  readonly rng: Rng;
  readonly clock = { monotonicMs: () => this.#nowMs, wallMs: () => this.#wallStartMs + this.#nowMs };
  readonly timers = { after: (delayMs: number, run: () => void): Timer => this.#after(delayMs, run) };

  constructor(seed: number, wallStartMs = Date.UTC(2026, 0, 1)) {
    this.#wallStartMs = wallStartMs;
    this.rng = createSeededRng(seed);
  }

  /** Timers that have neither run nor been cancelled: 0 at the end of a test, or one leaked. */
  get activeTimers(): number {
    return this.#pending.filter((timer) => timer.run !== undefined).length;
  }

  /**
   * Lets `ms` virtual milliseconds pass, running what falls due in order, and the promises it settles in
   * between.
   */
  async advance(ms: number): Promise<void> {
    const until = this.#nowMs + ms;
    await settle();
    for (let next = this.#nextDue(until); next !== undefined; next = this.#nextDue(until)) {
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      const run = next.run;
      next.run = undefined;
      run?.();
      await settle();
    }
    this.#nowMs = until;
  }

  /**
   * Advances to the next timer, again and again, until `done` holds or `limitMs` virtual milliseconds have
   * passed.
   */
  async runUntil(done: () => boolean, limitMs = 600_000): Promise<boolean> {
    const end = this.#nowMs + limitMs;
    await settle();
    while (!done()) {
      const next = this.#nextDue(end);
      if (next === undefined) return done();
      await this.advance(Math.max(0, next.dueMs - this.#nowMs));
    }
    return true;
  }

  #after(delayMs: number, run: () => void): Timer {
    const timer: Pending = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, run };
    this.#pending.push(timer);
    return {
      cancel: () => {
        timer.run = undefined;
      },
    };
  }

  #nextDue(untilMs: number): Pending | undefined {
    this.#pending = this.#pending.filter((timer) => timer.run !== undefined);
    let next: Pending | undefined;
    for (const timer of this.#pending) {
      if (timer.dueMs > untilMs) continue;
      if (
        next === undefined ||
        timer.dueMs < next.dueMs ||
        (timer.dueMs === next.dueMs && timer.order < next.order)
      ) {
        next = timer;
      }
    }
    return next;
  }
}

/**
 * Promises settle in microtasks, and node:crypto's asynchronous calls in later turns; a virtual turn waits
 * for both.
 */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** A repeatable generator (sfc32). Not for secrets. */
export function createSeededRng(seed: number): Rng {
  let a = seed >>> 0;
  let b = (seed ^ 0x9e3779b9) >>> 0;
  let c = 0x243f6a88;
  let counter = 1;
  const next = (): number => {
    const t = (((a + b) >>> 0) + counter) >>> 0;
    counter = (counter + 1) >>> 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) >>> 0;
    c = (((c << 21) | (c >>> 11)) + t) >>> 0;
    return t;
  };
  for (let i = 0; i < 12; i++) next();
  return {
    fraction: () => next() / 0x100000000,
    bytes: (length) => {
      const data = new Uint8Array(length);
      for (let i = 0; i < length; i++) data[i] = next() & 0xff;
      return data;
    },
  };
}
