import { Pace } from '../domain/switch/pace.ts';
import type { SwitchCourse } from '../domain/switch/switch-course.ts';

type Kept = Pick<SwitchCourse, 'begun' | 'taken'>;

/** What lets meters of a switch through, one after the other. */
interface Gate {
  /** How many of those that want to may come through now. */
  room(now: number, wanted: number): number;
  /** One comes through, if it may. */
  take(now: number): boolean;
  /** When somebody may come through again. */
  nextAt(now: number): number;
  /** Ends a look: whether somebody has to wait for the next one. */
  leave(waiting: boolean): void;
}

/**
 * The gates of a switch: one to be begun, which is what parties and the market notice, and one to the head
 * end, which meters pass to be prepared, to be cut over, and each time they come again. The same rate holds
 * at both; a switch without a rate has open gates.
 */
export class Gates {
  readonly begin: Gate;
  readonly headEnd: Gate;
  readonly #paces: readonly [Pace, Pace] | undefined;
  #changed = false;

  constructor(ratePerMinute: number, { begun, taken }: Kept) {
    this.#paces =
      ratePerMinute === 0 ? undefined : [new Pace(ratePerMinute, begun), new Pace(ratePerMinute, taken)];
    this.begin = this.#gate(this.#paces?.[0]);
    this.headEnd = this.#gate(this.#paces?.[1]);
  }

  /** What the next process has to know, once after somebody came through; undefined when nobody did. */
  takeChange(): Kept | undefined {
    if (!this.#changed || this.#paces === undefined) return undefined;
    this.#changed = false;
    return { begun: this.#paces[0].state, taken: this.#paces[1].state };
  }

  /** What was missed so far is not made up for. */
  rest(): void {
    for (const pace of this.#paces ?? []) pace.leave(false);
  }

  #gate(pace: Pace | undefined): Gate {
    if (pace === undefined) return OPEN;
    return {
      room: (now, wanted) => Math.min(wanted, pace.room(now)),
      take: (now) => {
        const came = pace.take(now);
        this.#changed ||= came;
        return came;
      },
      nextAt: (now) => pace.nextAt(now),
      leave: (waiting) => pace.leave(waiting),
    };
  }
}

const OPEN: Gate = {
  room: (_now, wanted) => wanted,
  take: () => true,
  nextAt: (now) => now,
  leave: () => undefined,
};
