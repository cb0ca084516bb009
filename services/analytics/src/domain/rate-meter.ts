import type { Clock } from '@sefleet/runtime';

const BUCKETS = 10;
const BUCKET_MS = 500;

/** How many per second, over the last five seconds. */
export class RateMeter {
  readonly #clock: Clock;
  readonly #counts = new Float64Array(BUCKETS);
  #current: number;
  readonly #started: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#current = this.#bucketNow();
    this.#started = this.#current;
  }

  add(count: number): void {
    this.#turn();
    const at = this.#current % BUCKETS;
    this.#counts[at] = (this.#counts[at] ?? 0) + count;
  }

  perSecond(): number {
    this.#turn();
    const buckets = Math.min(BUCKETS, this.#current - this.#started + 1);
    let total = 0;
    for (const count of this.#counts) total += count;
    return (total * 1000) / (buckets * BUCKET_MS);
  }

  /** Empties the buckets that have passed since the last call. */
  #turn(): void {
    const now = this.#bucketNow();
    for (let i = Math.max(this.#current + 1, now - BUCKETS + 1); i <= now; i++) this.#counts[i % BUCKETS] = 0;
    this.#current = now;
  }

  #bucketNow(): number {
    return Math.floor(this.#clock.monotonicMs() / BUCKET_MS);
  }
}
