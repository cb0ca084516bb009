/** Lets a limited number of jobs run at a time; the others wait in order. */
export class Gate {
  readonly #limit: number;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Jobs that wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Runs `job` when its turn has come; settles as it does. */
  async run<T>(job: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#limit) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      return await job();
    } finally {
      // The place goes straight to the next in the queue, so that nobody overtakes it.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}
