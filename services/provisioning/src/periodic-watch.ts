import type { Timers } from '@sefleet/runtime';

/** Looks at something now and then: one look at a time, until it is closed. */
export class PeriodicWatch {
  readonly #timers: Timers;
  readonly #intervalMs: number;
  readonly #job: () => Promise<void>;
  #looking: Promise<void> | undefined;
  #closed = false;

  /** @param job one look; it reports its own failures and does not reject. */
  constructor(timers: Timers, intervalMs: number, job: () => Promise<void>) {
    this.#timers = timers;
    this.#intervalMs = intervalMs;
    this.#job = job;
  }

  /** True when a look that is under way should come to its end. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Looks now, and again after each interval. */
  start(): void {
    void this.look();
    this.#timers.after(this.#intervalMs, () => {
      if (!this.#closed) this.start();
    });
  }

  /** Looks once; a look that is under way is joined. */
  look(): Promise<void> {
    this.#looking ??= this.#job().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  /** No more looks; resolves when the one under way is over. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#looking;
  }
}
