import type { Clock, Timer, Timers } from '@sefleet/runtime';
import type { Reading } from './reading-source.ts';

/** A device's own time. */
export interface DeviceLife {
  readonly clock: Clock;
  readonly timers: Timers;
}

/** Where a device's readings come from, one after the other. */
export interface ReadingSupply {
  readonly taken: number;
  /**
   * When the next reading is due, by the device's clock, where that does not depend on when it was switched
   * on.
   */
  readonly dueAtMs?: number;
  /** How long after `nowMs` the first reading is due that is taken from now on. */
  delayMs(nowMs: number): number;
  /** The next reading. */
  next(nowMs: number): Reading;
  /** The reading of an instant that belongs to no interval. */
  at(instantMs: number): Reading;
  /** Where it has come to, as JSON. */
  snapshot(): string;
}

/** When a device reads. */
export class ReadingSchedule {
  readonly #life: DeviceLife;
  readonly #readings: ReadingSupply;
  readonly #intervalMs: number;
  readonly #read: () => void;
  #timer: Timer | undefined;
  #running = false;
  #dueMs = 0;

  constructor(life: DeviceLife, readings: ReadingSupply, intervalMs: number, read: () => void) {
    this.#life = life;
    this.#readings = readings;
    this.#intervalMs = intervalMs;
    this.#read = read;
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#dueMs = this.#life.clock.monotonicMs();
    this.#readAfter(this.#readings.delayMs(this.#life.clock.wallMs()));
  }

  stop(): void {
    this.#running = false;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Takes the readings first that were due before an instant, where it is known when they were. */
  catchUp(instantMs: number): void {
    for (;;) {
      const { dueAtMs } = this.#readings;
      if (!this.#running || dueAtMs === undefined || dueAtMs >= instantMs) return;
      this.#read();
    }
  }

  /** Due times are counted from the first on: what reading takes does not slow the device's clock. */
  #readAfter(delayMs: number): void {
    const { clock, timers } = this.#life;
    this.#dueMs += delayMs;
    this.#timer = timers.after(Math.max(0, this.#dueMs - clock.monotonicMs()), () => {
      const { dueAtMs } = this.#readings;
      if (dueAtMs === undefined || dueAtMs <= clock.wallMs()) this.#read();
      if (this.#running) this.#readAfter(this.#nextMs());
    });
  }

  #nextMs(): number {
    const { dueAtMs } = this.#readings;
    if (dueAtMs === undefined) return this.#intervalMs;
    const { clock } = this.#life;
    return dueAtMs - clock.wallMs() + clock.monotonicMs() - this.#dueMs;
  }
}
