import type { Timers } from '@sefleet/runtime';

/** One change to be written. */
export interface Write {
  /** Of several writes with one key that wait together only the last counts; empty: all count. */
  readonly key: string;
  apply(): void;
}

/** Writes wait this long for company: one transaction for all costs about as much as one for each. */
const GATHER_MS = 8;

/** Gathers changes into transactions: group commit. */
export class WriteQueue {
  readonly #timers: Timers;
  readonly #commit: (writes: readonly Write[]) => void;
  readonly #onFailure: (error: unknown) => void;
  #waiting: Write[] = [];
  #keyed = new Map<string, number>();
  #batch: PromiseWithResolvers<void> | undefined;

  /**
   * @param commit writes all in one transaction, or throws
   * @param onFailure told when it threw; the writes are lost, and those who wait for them are told too
   */
  constructor(
    timers: Timers,
    commit: (writes: readonly Write[]) => void,
    onFailure: (error: unknown) => void,
  ) {
    this.#timers = timers;
    this.#commit = commit;
    this.#onFailure = onFailure;
  }

  /** Takes a change; resolves when it is durable. */
  push(write: Write): Promise<void> {
    const known = write.key === '' ? undefined : this.#keyed.get(write.key);
    if (known !== undefined) this.#waiting[known] = write;
    else {
      if (write.key !== '') this.#keyed.set(write.key, this.#waiting.length);
      this.#waiting.push(write);
    }
    return this.#scheduled().promise;
  }

  /** Resolves when everything that was pushed is durable. */
  flush(): Promise<void> {
    const batch = this.#batch;
    if (batch === undefined) return Promise.resolve();
    this.#run();
    return batch.promise;
  }

  #scheduled(): PromiseWithResolvers<void> {
    if (this.#batch === undefined) {
      this.#batch = Promise.withResolvers<void>();
      // Not everybody waits for a write, and a failure is told to `onFailure` anyway.
      this.#batch.promise.catch(() => {});
      this.#timers.after(GATHER_MS, () => this.#run());
    }
    return this.#batch;
  }

  #run(): void {
    const batch = this.#batch;
    if (batch === undefined) return;
    const writes = this.#waiting;
    this.#batch = undefined;
    this.#waiting = [];
    this.#keyed = new Map();
    try {
      this.#commit(writes);
      batch.resolve();
    } catch (error) {
      this.#onFailure(error);
      batch.reject(error);
    }
  }
}
