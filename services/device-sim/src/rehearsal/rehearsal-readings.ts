import { z } from 'zod';
import { HouseholdLoad } from '../behaviour/household-load.ts';
import { deviceSeed } from '../behaviour/seeded-noise.ts';
import type { Reading } from '../device/reading-source.ts';
import type { ReadingSupply } from '../device/virtual-device.ts';

/** What decides the readings of a rehearsed meter. */
export interface RehearsalReadingPlan {
  readonly seed: bigint;
  /** Number of the meter, from 1. */
  readonly number: number;
  /** Instant of the first reading, by the meter's clock. */
  readonly startMs: number;
  readonly intervalMs: number;
  /** By how much the meter's clock is ahead. */
  readonly driftMs: number;
}

const ACTIVE_ENERGY = 'activeEnergyWh';
const stateSchema = z.object({
  taken: z.number().int(),
  model: z.string(),
  first: z.number(),
  last: z.number(),
});

/** Readings at the ends of intervals, of a household that goes on whatever the meter's clock says. */
export class RehearsalReadings implements ReadingSupply {
  readonly #plan: RehearsalReadingPlan;
  readonly #model: HouseholdLoad;
  #taken = 0;
  #firstWh = 0;
  #lastWh = 0;

  constructor(plan: RehearsalReadingPlan) {
    this.#plan = plan;
    this.#model = new HouseholdLoad(deviceSeed(plan.seed, plan.number), plan.startMs - 2 * plan.intervalMs);
  }

  get taken(): number {
    return this.#taken;
  }

  /** What the register said at the first and the last interval's end. */
  get truth() {
    const { startMs, intervalMs } = this.#plan;
    return {
      firstAt: startMs,
      lastAt: startMs + Math.max(0, this.#taken - 1) * intervalMs,
      firstRegisterWh: this.#firstWh,
      lastRegisterWh: this.#lastWh,
    };
  }

  delayMs(nowMs: number): number {
    return this.#dueMs - nowMs;
  }

  next(): Reading {
    const reading = this.#read(this.#dueMs);
    const wh = reading.measurements.find(({ metric }) => metric === ACTIVE_ENERGY)?.value ?? 0;
    if (this.#taken === 0) this.#firstWh = wh;
    this.#lastWh = wh;
    this.#taken++;
    return reading;
  }

  at(nowMs: number): Reading {
    return this.#read(nowMs);
  }

  snapshot(): string {
    const [first, last] = [this.#firstWh, this.#lastWh];
    return JSON.stringify({ taken: this.#taken, model: this.#model.snapshot(), first, last });
  }

  /** Goes on from a snapshot of the same plan. */
  restore(snapshot: string): void {
    const { taken, model, first, last } = stateSchema.parse(JSON.parse(snapshot));
    this.#taken = taken;
    this.#firstWh = first;
    this.#lastWh = last;
    this.#model.restore(model);
  }

  /** When the next reading is due, by the meter's clock. */
  get #dueMs(): number {
    const { startMs, intervalMs } = this.#plan;
    return startMs + this.#taken * intervalMs;
  }

  /** The register at a time of the meter's clock. */
  #read(localMs: number): Reading {
    return { timestampMs: localMs, measurements: this.#model.sample(localMs - this.#plan.driftMs) };
  }
}
