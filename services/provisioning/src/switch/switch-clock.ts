import type { Clock } from '@sefleet/runtime';

/** The time of switches: the wall's, or in a rehearsal what the rehearsal says. */
export class SwitchClock {
  readonly #clock: Clock;
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
  }
}
