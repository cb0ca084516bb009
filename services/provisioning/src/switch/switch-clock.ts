import type { Clock } from '@sefleet/runtime';

/** The service's time: the wall's, or in a rehearsal what the rehearsal says. */
export class SwitchClock implements Clock {
  readonly #clock: Clock;
  readonly #isRehearsal: boolean;
  readonly #listeners: (() => void)[] = [];
  #rehearsed: number | undefined;

  constructor(clock: Clock, isRehearsal = false) {
    this.#clock = clock;
    this.#isRehearsal = isRehearsal;
  }

  /** False in a rehearsal that has not told its time yet, as after a restart: the wall's says nothing. */
  get isKnown(): boolean {
    return !this.#isRehearsal || this.#rehearsed !== undefined;
  }

  now(): number {
    return this.#rehearsed ?? this.#clock.wallMs();
  }

  /** From here on a rehearsal keeps the time; it never runs backwards. */
  advance(to: number): void {
    this.#rehearsed = Math.max(to, this.#rehearsed ?? to);
    for (const listener of this.#listeners) listener();
  }

  /** Tells when a rehearsal moved the time. */
  onAdvance(listener: () => void): void {
    this.#listeners.push(listener);
  }

  wallMs(): number {
    return this.now();
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }
}
