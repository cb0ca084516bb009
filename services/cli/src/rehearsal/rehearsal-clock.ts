/** Left before the instant while meters are still being prepared: room for what has to be tried again. */
const HELD_BEFORE_MS = 20 * 60_000;
const STEP_MS = 1000;

/**
 * The time of a rehearsal: it passes `compress` times as fast as real time while there is work, is held
 * before the instant until everything that can be prepared is, and jumps over what would only be waiting.
 */
export class RehearsalClock {
  readonly #cutOverAt: number;
  readonly #compress: number;
  #now: number;
  #realAt: number;

  constructor(startAt: number, cutOverAt: number, compress: number, realNow: number) {
    this.#now = startAt;
    this.#cutOverAt = cutOverAt;
    this.#compress = compress;
    this.#realAt = realNow;
  }

  get now(): number {
    return this.#now;
  }

  /** Time while there is work. */
  work(realNow: number): number {
    const passed = this.#now + (realNow - this.#realAt) * this.#compress;
    this.#realAt = realNow;
    const held = this.#cutOverAt - HELD_BEFORE_MS;
    const limit = this.#now < this.#cutOverAt ? Math.max(this.#now, held) : Infinity;
    this.#now = Math.min(passed, limit);
    return this.#now;
  }

  /** Time when there is nothing to do before one of `events` (0 for none). */
  skip(realNow: number, ...events: readonly number[]): number {
    this.#realAt = realNow;
    const next = Math.min(...events.filter((event) => event > this.#now));
    this.#now = Number.isFinite(next) ? next : this.#now + STEP_MS;
    return this.#now;
  }
}
