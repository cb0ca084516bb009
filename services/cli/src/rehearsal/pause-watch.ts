import { switching } from '@sefleet/api';
import type { Steer } from './steer-switch.ts';
import type { RehearsedPause } from './rehearsal-plan.ts';

type State = Pick<switching.GetSwitchResponse, 'states' | 'total'>;

/** Pauses a switch once, when it has come as far as the plan says, and resumes it after a while. */
export class PauseWatch {
  readonly #plan: RehearsedPause | undefined;
  readonly #steer: Steer;
  #resumeAt = 0;
  #isOver = false;

  constructor(plan: RehearsedPause | undefined, steer: Steer) {
    this.#plan = plan;
    this.#steer = steer;
  }

  /** When the switch is resumed, by the rehearsal's clock; 0 while it is not paused. */
  get resumeAt(): number {
    return this.#resumeAt;
  }

  /** Looks how far the switch has come at `now`; tells what was done about it, if anything. */
  async look(state: State, now: number): Promise<string | undefined> {
    if (this.#plan === undefined || this.#isOver) return undefined;
    if (this.#resumeAt === 0) {
      const share = (100 * countOf(state, COUNTED[this.#plan.of])) / Number(state.total);
      if (share < this.#plan.atPercent) return undefined;
      this.#resumeAt = now + this.#plan.forMs;
      await this.#steer(switching.SwitchControl.PAUSE);
      return `pausing: ${share.toFixed(0)} % are ${this.#plan.of}`;
    }
    if (now < this.#resumeAt) return undefined;
    this.#isOver = true;
    this.#resumeAt = 0;
    await this.#steer(switching.SwitchControl.RESUME);
    return 'resuming';
  }
}

/** How many meters are in one of these states. */
export function countOf({ states }: Pick<State, 'states'>, names: readonly string[]): number {
  return states.reduce((sum, { name, value }) => sum + (names.includes(name) ? Number(value) : 0), 0);
}

const COUNTED: Readonly<Record<RehearsedPause['of'], readonly string[]>> = {
  prepared: ['credential-staged', 'cut-over-read', 'switched', 'confirmed', 'exception', 'rolled-back'],
  confirmed: ['confirmed'],
};
