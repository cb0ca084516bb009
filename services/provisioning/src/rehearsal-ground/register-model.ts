import { createHash } from 'node:crypto';

const FIRST_WH_SPAN = 90_000_000;
const ENERGY_WH_MIN = 5;
const ENERGY_WH_SPAN = 195;

/** At this count a register begins at 0 again: 999,999.999 kWh are all that its display has. */
export const REGISTER_CAPACITY_WH = 1_000_000_000;

/** What happens to a register in the interval that ends at an instant. */
export interface RegisterFate {
  readonly at: number;
  /** By how much it jumps. */
  readonly leapWh: number;
  /** It comes to its capacity there: at the instant it says 0. */
  readonly rollsOver: boolean;
}

/**
 * A register that counts watt-hours: it never runs backwards, within an interval it grows evenly, and it
 * begins at 0 again when it has come to its capacity. The same seed and name give the same register.
 */
export class RegisterModel {
  readonly #startAt: number;
  readonly #intervalMs: number;
  readonly #prefix: string;
  readonly #fate: { readonly interval: number; readonly leapWh: number };
  /** Register at the end of each interval. */
  #ends: number[];

  constructor(seed: string, endpoint: string, startAt: number, intervalMs: number, fate?: RegisterFate) {
    this.#startAt = startAt;
    this.#intervalMs = intervalMs;
    this.#prefix = `${seed}/register/${endpoint}`;
    const interval = fate === undefined ? 0 : Math.ceil((fate.at - startAt) / intervalMs);
    this.#fate = { interval, leapWh: fate?.leapWh ?? 0 };
    const first = Math.floor(this.#fraction(-1) * FIRST_WH_SPAN);
    this.#ends = [first];
    if (fate?.rollsOver === true) {
      const grownWh = this.#endOf(interval) - first;
      this.#ends = [REGISTER_CAPACITY_WH - grownWh];
    }
  }

  /** What the register says at an instant, in whole watt-hours. */
  at(instant: number): number {
    return this.countedAt(instant) % REGISTER_CAPACITY_WH;
  }

  /** What was counted until an instant, had the register no end. */
  countedAt(instant: number): number {
    const since = Math.max(0, instant - this.#startAt) / this.#intervalMs;
    const interval = Math.floor(since);
    const begin = this.#endOf(interval);
    return begin + Math.floor((this.#endOf(interval + 1) - begin) * (since - interval));
  }

  #endOf(interval: number): number {
    while (this.#ends.length <= interval) {
      const energy = ENERGY_WH_MIN + Math.floor(this.#fraction(this.#ends.length) * ENERGY_WH_SPAN);
      const leap = this.#fate.interval === this.#ends.length ? this.#fate.leapWh : 0;
      this.#ends.push((this.#ends.at(-1) ?? 0) + energy + leap);
    }
    return this.#ends[interval] ?? 0;
  }

  #fraction(interval: number): number {
    const digest = createHash('sha1').update(`${this.#prefix}/${interval}`).digest();
    return digest.readUInt32BE(0) / 0x1_0000_0000;
  }
}
