import type { DatabaseSync } from 'node:sqlite';
import { inTransaction } from '../open-database.ts';

interface Write {
  readonly run: () => void;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Gathers the writes of one turn of the event loop into one transaction: a thousand devices that move on at
 * once cost a few commits, and each still waits for its own.
 */
export class WriteQueue {
  readonly #database: DatabaseSync;
  #waiting: Write[] = [];
  #flushing: Promise<void> | undefined;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Fulfilled when `run` has lasted. */
  write(run: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ run, resolve, reject });
      this.#flushing ??= new Promise((flushed) => {
        setImmediate(() => {
          this.#flush();
          flushed();
        });
      });
    });
  }

  /** Fulfilled when nothing waits. */
  async idle(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing;
  }

  #flush(): void {
    const writes = this.#waiting;
    this.#waiting = [];
    this.#flushing = undefined;
    try {
      inTransaction(this.#database, () => {
        for (const { run } of writes) run();
      });
      for (const { resolve } of writes) resolve();
    } catch {
      // One write spoiled the batch: each gets a transaction of its own, so that only the guilty one fails.
      for (const write of writes) this.#alone(write);
    }
  }

  #alone({ run, resolve, reject }: Write): void {
    try {
      inTransaction(this.#database, run);
      resolve();
    } catch (error) {
      reject(error);
    }
  }
}
