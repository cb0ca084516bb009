import type { Clock } from '@sefleet/runtime';

/** The service's time: the wall's, or in a rehearsal what the rehearsal says. */
export class SwitchClock implements Clock {
  readonly #clock: Clock;
  readonly #listeners: (() => void)[] = [];
  #rehearsed: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
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
