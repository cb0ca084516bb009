import type { Clock, Timers } from './clock.ts';
import type { Rng } from './rng.ts';

/** The part of the world that every protocol core needs, handed in by whoever wires it. */
export interface Runtime {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly rng: Rng;
}
