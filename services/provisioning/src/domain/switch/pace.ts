/** How far a pace has come, for the next process. */
export interface PaceState {
  /** The next one is due then, milliseconds since 1970. */
  readonly dueAt: number;
  /** How many came through lately, and when: in whole seconds, rounded up. */
  readonly lately: readonly Passage[];
}

type Passage = readonly [at: number, passed: number];

/** Nobody has come through yet. */
export const FRESH_PACE: PaceState = { dueAt: 0, lately: [] };

const MINUTE_MS = 60_000;
const SECOND_MS = 1000;

/**
 * Lets through so many a minute, evenly: whatever the clock does, in any minute no more come through. A clock
 * that moves in steps is made up for while somebody waits; time in which nobody waited is not saved up, so
 * that a thousand who come at once do not go at once.
 */
export class Pace {
  readonly #perMinute: number;
  readonly #intervalMs: number;
  #dueAt: number;
  /** In the order of time, those of the last minute only. */
  #lately: Passage[];
  #passed = 0;
  /** Somebody has been waiting since the last look. */
  #waited = false;

  /** @param perMinute 1 or more. @param kept what a former process left. */
  constructor(perMinute: number, kept: PaceState = FRESH_PACE) {
    this.#perMinute = perMinute;
    this.#intervalMs = MINUTE_MS / perMinute;
    this.#dueAt = kept.dueAt;
    this.#lately = [...kept.lately];
    this.#passed = kept.lately.reduce((sum, [, passed]) => sum + passed, 0);
  }

  get state(): PaceState {
    const seconds = new Map<number, number>();
    for (const [at, passed] of this.#lately) {
      const end = Math.ceil(at / SECOND_MS) * SECOND_MS;
      seconds.set(end, (seconds.get(end) ?? 0) + passed);
    }
    return { dueAt: this.#dueAt, lately: [...seconds] };
  }

  /** How many may come through at `now`, milliseconds since 1970, which never runs backwards. */
  room(now: number): number {
    if (now < this.#dueAt) return 0;
    this.#forget(now - MINUTE_MS);
    const missed = this.#waited ? Math.floor((now - this.#dueAt) / this.#intervalMs) : 0;
    return Math.min(1 + missed, this.#perMinute - this.#passed);
  }

  /** One comes through, if there is room. */
  take(now: number): boolean {
    if (this.room(now) < 1) return false;
    this.#dueAt = (this.#waited ? this.#dueAt : now) + this.#intervalMs;
    const last = this.#lately.at(-1);
    if (last !== undefined && last[0] >= now) this.#lately[this.#lately.length - 1] = [last[0], last[1] + 1];
    else this.#lately.push([now, 1]);
    this.#passed++;
    return true;
  }

  /** Ends a look: whether somebody has to wait for the next one. */
  leave(waiting: boolean): void {
    this.#waited = waiting;
  }

  /** When there is room again, at most once a second; `now` when there is. */
  nextAt(now: number): number {
    if (this.room(now) > 0) return now;
    const due = Math.max(this.#dueAt, now + SECOND_MS);
    let tooMany = this.#passed + 1 - this.#perMinute;
    for (const [at, passed] of this.#lately) {
      if (tooMany <= 0) break;
      tooMany -= passed;
      if (tooMany <= 0) return Math.max(due, at + MINUTE_MS);
    }
    return due;
  }

  #forget(until: number): void {
    const [first] = this.#lately;
    if (first === undefined || first[0] > until) return;
    this.#lately = this.#lately.filter(([at]) => at > until);
    this.#passed = this.#lately.reduce((sum, [, passed]) => sum + passed, 0);
  }
}
