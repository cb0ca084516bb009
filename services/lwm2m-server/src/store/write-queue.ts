import type { Timers } from '@sefleet/runtime';
import type { SqlDatabase, SqlStatement } from './sql-database.ts';

/** Writes wait this long for company: one transaction for all costs about as much as one for each. */
const GATHER_MS = 8;

/** Gathers changes into transactions: group commit, in the order of their coming. */
export class WriteQueue {
  readonly #database: SqlDatabase;
  readonly #timers: Timers;
  readonly #onFailure: (error: unknown) => void;
  #waiting: SqlStatement[] = [];
  #keyed = new Map<string, number>();
  #batch: PromiseWithResolvers<void> | undefined;
  #running: Promise<void> = Promise.resolve();

  /**
   * @param onFailure told when a transaction failed; its changes are lost, and those who wait for them are
   * told too
   */
  constructor(database: SqlDatabase, timers: Timers, onFailure: (error: unknown) => void) {
    this.#database = database;
    this.#timers = timers;
    this.#onFailure = onFailure;
  }

  /**
   * Takes a change; resolves when it is durable.
   *
   * @param key of several changes with one key that wait together only the last counts; without one all count
   */
  push(statement: SqlStatement, key?: string): Promise<void> {
    const known = key === undefined ? undefined : this.#keyed.get(key);
    if (known !== undefined) this.#waiting[known] = statement;
    else {
      if (key !== undefined) this.#keyed.set(key, this.#waiting.length);
      this.#waiting.push(statement);
    }
    return this.#scheduled().promise;
  }

  /** As {@link WriteQueue.push} for changes that nobody waits for: `onFailure` tells of their failure. */
  put(statement: SqlStatement, key?: string): void {
    void this.push(statement, key);
  }

  /** Resolves when everything that was pushed is durable or has failed. */
  async flush(): Promise<void> {
    this.#run();
    await this.#running;
  }

  #scheduled(): PromiseWithResolvers<void> {
    if (this.#batch === undefined) {
      this.#batch = Promise.withResolvers<void>();
      // Not everybody waits for a write.
      this.#batch.promise.catch(() => {});
      this.#timers.after(GATHER_MS, () => this.#run());
    }
    return this.#batch;
  }

  #run(): void {
    const batch = this.#batch;
    if (batch === undefined) return;
    const statements = this.#waiting;
    this.#batch = undefined;
    this.#waiting = [];
    this.#keyed = new Map();
    this.#running = this.#running.then(async () => {
      try {
        await this.#database.write(statements);
        batch.resolve();
      } catch (error) {
        this.#onFailure(error);
        batch.reject(error);
      }
    });
  }
}
