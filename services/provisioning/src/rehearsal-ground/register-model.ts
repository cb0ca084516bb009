import { createHash } from 'node:crypto';

const FIRST_WH_SPAN = 90_000_000;
const ENERGY_WH_MIN = 5;
const ENERGY_WH_SPAN = 195;

/**
 * A register that counts watt-hours: it never runs backwards, and within an interval it grows evenly. The
 * same seed and name give the same register.
 */
export class RegisterModel {
  readonly #startAt: number;
  readonly #intervalMs: number;
  readonly #prefix: string;
  readonly #leap: { readonly interval: number; readonly wh: number } | undefined;
  /** Register at the end of each interval. */
  readonly #ends: number[];

  /** @param leap By how much the register jumps in the interval in which an instant lies; none without. */
  constructor(
    seed: string,
    endpoint: string,
    startAt: number,
    intervalMs: number,
    leap?: { readonly at: number; readonly wh: number },
  ) {
    this.#startAt = startAt;
    this.#intervalMs = intervalMs;
    this.#prefix = `${seed}/register/${endpoint}`;
    this.#leap = leap && { interval: Math.ceil((leap.at - startAt) / intervalMs), wh: leap.wh };
    this.#ends = [Math.floor(this.#fraction(-1) * FIRST_WH_SPAN)];
  }

  /** What the register says at an instant, in whole watt-hours. */
  at(instant: number): number {
    const since = Math.max(0, instant - this.#startAt) / this.#intervalMs;
    const interval = Math.floor(since);
    const begin = this.#endOf(interval);
    return begin + Math.floor((this.#endOf(interval + 1) - begin) * (since - interval));
  }

  #endOf(interval: number): number {
    while (this.#ends.length <= interval) {
      const energy = ENERGY_WH_MIN + Math.floor(this.#fraction(this.#ends.length) * ENERGY_WH_SPAN);
      const leap = this.#leap?.interval === this.#ends.length ? this.#leap.wh : 0;
      this.#ends.push((this.#ends.at(-1) ?? 0) + energy + leap);
    }
    return this.#ends[interval] ?? 0;
  }

  #fraction(interval: number): number {
    const digest = createHash('sha1').update(`${this.#prefix}/${interval}`).digest();
    return digest.readUInt32BE(0) / 0x1_0000_0000;
  }
}
