/** Waits as long as something moves: how long the whole takes depends on the fleet and on the machine. */
export class Patience {
  readonly #limitMs: number;
  readonly #nowMs: () => number;
  #last = Number.NaN;
  #movedMs: number;

  /** @param limitMs how long nothing may move */
  constructor(limitMs: number, nowMs: () => number = () => performance.now()) {
    this.#limitMs = limitMs;
    this.#nowMs = nowMs;
    this.#movedMs = nowMs();
  }

  /** True when `done` has been the same for too long. */
  isOver(done: number): boolean {
    const nowMs = this.#nowMs();
    if (done !== this.#last) this.#movedMs = nowMs;
    this.#last = done;
    return nowMs - this.#movedMs > this.#limitMs;
  }
}
