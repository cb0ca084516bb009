import type { IntervalCount, MeterTruth } from './rehearsal.ts';
import type { SealedReading } from './sealed-reading.ts';

interface Tally {
  expected: number;
  received: number;
  readonly bySupplier: Record<string, number>;
}

/** Counts the readings of a fleet, interval by interval. */
export class IntervalTally {
  readonly #intervalMs: number;
  readonly #tallies = new Map<number, Tally>();

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /** Adds what one meter had to have and has. */
  add(truth: MeterTruth, readings: readonly SealedReading[]): void {
    for (let at = truth.firstAt; at <= truth.lastAt; at += this.#intervalMs) this.#at(at).expected++;
    const seen = new Set<number>();
    for (const { at, supplier } of readings) {
      const tally = this.#at(at);
      tally.bySupplier[supplier] = (tally.bySupplier[supplier] ?? 0) + 1;
      if (!seen.has(at)) tally.received++;
      seen.add(at);
    }
  }

  /** In the order of time. */
  counts(): readonly IntervalCount[] {
    return [...this.#tallies].map(([at, tally]) => ({ at, ...tally })).toSorted((a, b) => a.at - b.at);
  }

  #at(at: number): Tally {
    const known = this.#tallies.get(at);
    if (known !== undefined) return known;
    const tally: Tally = { expected: 0, received: 0, bySupplier: {} };
    this.#tallies.set(at, tally);
    return tally;
  }
}
