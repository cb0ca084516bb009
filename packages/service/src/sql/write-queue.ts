import type { Timers } from '@sefleet/runtime';
import type { SqlDatabase, SqlStatement } from './sql-database.ts';

/** One change: all of its statements last, or none. */
interface Write {
  statements: readonly SqlStatement[];
  readonly lasted: PromiseWithResolvers<void>;
}

/** Writes wait this long for company: one transaction for all costs about as much as one for each. */
const GATHER_MS = 8;

/** Lets changes that come within a few milliseconds share a transaction. */
export function gathering(timers: Timers): (run: () => void) => void {
  return (run) => void timers.after(GATHER_MS, run);
}

/** Lets changes of one turn of the event loop share a transaction: for those who wait for each write. */
export function everyTurn(run: () => void): void {
  setImmediate(run);
}

/** Failures in a row after which it is the database, not a change, that is to blame. */
const FAILURES_IN_A_ROW = 3;

/**
 * Gathers changes into transactions: group commit, in the order of their coming. A thousand devices that move
 * on at once cost a few commits, and each still waits for its own. A change that the database refuses fails
 * alone.
 */
export class WriteQueue {
  readonly #database: SqlDatabase;
  readonly #later: (run: () => void) => void;
  readonly #onFailure: (error: unknown) => void;
  #waiting: Write[] = [];
  #keyed = new Map<string, Write>();
  #scheduled = false;
  #running: Promise<void> = Promise.resolve();

  /**
   * @param later runs something a moment later: the time that changes have to find company
   * @param onFailure told of each change that failed; those who wait for it are told too
   */
  constructor(
    database: SqlDatabase,
    later: (run: () => void) => void,
    onFailure: (error: unknown) => void = () => undefined,
  ) {
    this.#database = database;
    this.#later = later;
    this.#onFailure = onFailure;
  }

  /**
   * Takes a change; resolves when it is durable.
   *
   * @param key of several changes with one key that wait together only the last counts; without one all count
   */
  push(change: SqlStatement | readonly SqlStatement[], key?: string): Promise<void> {
    const statements = 'sql' in change ? [change] : change;
    const known = key === undefined ? undefined : this.#keyed.get(key);
    if (known !== undefined) {
      known.statements = statements;
      return known.lasted.promise;
    }
    const write: Write = { statements, lasted: Promise.withResolvers<void>() };
    // Not everybody waits for a write.
    write.lasted.promise.catch(() => {});
    this.#waiting.push(write);
    if (key !== undefined) this.#keyed.set(key, write);
    if (!this.#scheduled) {
      this.#scheduled = true;
      this.#later(() => this.#run());
    }
    return write.lasted.promise;
  }

  /** As {@link WriteQueue.push} for changes that nobody waits for: `onFailure` tells of their failure. */
  put(change: SqlStatement | readonly SqlStatement[], key?: string): void {
    void this.push(change, key);
  }

  /** Resolves when everything that was pushed is durable or has failed. */
  async flush(): Promise<void> {
    this.#run();
    await this.#running;
  }

  #run(): void {
    this.#scheduled = false;
    const writes = this.#waiting;
    if (writes.length === 0) return;
    this.#waiting = [];
    this.#keyed = new Map();
    this.#running = this.#running.then(() => this.#commit(writes));
  }

  async #commit(writes: readonly Write[]): Promise<void> {
    try {
      await this.#database.write(writes.flatMap(({ statements }) => statements));
      for (const { lasted } of writes) lasted.resolve();
    } catch (error) {
      const [only, ...more] = writes;
      if (only !== undefined && more.length === 0) this.#fail(only, error);
      else await this.#oneByOne(writes);
    }
  }

  /** One change spoiled the batch: each gets a transaction of its own, so that only the guilty one fails. */
  async #oneByOne(writes: readonly Write[]): Promise<void> {
    let failures = 0;
    let last: unknown;
    for (const write of writes) {
      if (failures === FAILURES_IN_A_ROW) {
        this.#fail(write, last);
        continue;
      }
      try {
        await this.#database.write(write.statements);
        write.lasted.resolve();
        failures = 0;
      } catch (error) {
        failures++;
        last = error;
        this.#fail(write, error);
      }
    }
  }

  #fail({ lasted }: Write, error: unknown): void {
    this.#onFailure(error);
    lasted.reject(error);
  }
}
