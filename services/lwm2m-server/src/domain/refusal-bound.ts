import type { Clock } from '@sefleet/runtime';

const WINDOW_MS = 10_000;
/** Keys of one window; the rest of them waits for the next. */
const KEYS_MAX = 1000;

/** Lets each key through once in 10 seconds, and 1000 keys: peers that err on purpose fill no disk. */
export class RefusalBound {
  readonly #clock: Clock;
  readonly #keys = new Set<string>();
  #endsAtMs = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  admits(key: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs >= this.#endsAtMs) {
      this.#keys.clear();
      this.#endsAtMs = nowMs + WINDOW_MS;
    }
    if (this.#keys.has(key) || this.#keys.size >= KEYS_MAX) return false;
    this.#keys.add(key);
    return true;
  }
}
