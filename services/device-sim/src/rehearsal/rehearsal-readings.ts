import { z } from 'zod';
import { HouseholdLoad } from '../behaviour/household-load.ts';
import { deviceSeed } from '../behaviour/seeded-noise.ts';
import type { Reading } from '../device/reading-source.ts';
import type { ReadingSupply } from '../device/reading-schedule.ts';

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
  cutOvers: z.array(z.object({ instant: z.number(), takenAt: z.number(), registerWh: z.number() })),
});

type CutOverReading = z.infer<typeof stateSchema>['cutOvers'][number];

/** Readings at the ends of intervals, of a household that goes on whatever the meter's clock says. */
export class RehearsalReadings implements ReadingSupply {
  readonly #plan: RehearsalReadingPlan;
  readonly #model: HouseholdLoad;
  #taken = 0;
  #firstWh = 0;
  #lastWh = 0;
  #cutOvers: CutOverReading[] = [];

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
      cutOvers: this.#cutOvers,
    };
  }

  delayMs(nowMs: number): number {
    return this.dueAtMs - nowMs;
  }

  next(): Reading {
    const reading = this.#read(this.dueAtMs);
    const wh = energyOf(reading);
    if (this.#taken === 0) this.#firstWh = wh;
    this.#lastWh = wh;
    this.#taken++;
    return reading;
  }

  /** A reading out of turn is one for a cut-over. */
  at(instantMs: number): Reading {
    const reading = this.#read(instantMs);
    const takenAt = instantMs - this.#plan.driftMs;
    this.#cutOvers.push({ instant: instantMs, takenAt, registerWh: energyOf(reading) });
    return reading;
  }

  snapshot(): string {
    const [first, last] = [this.#firstWh, this.#lastWh];
    return JSON.stringify({
      taken: this.#taken,
      model: this.#model.snapshot(),
      first,
      last,
      cutOvers: this.#cutOvers,
    });
  }

  /** Goes on from a snapshot of the same plan. */
  restore(snapshot: string): void {
    const { taken, model, first, last, cutOvers } = stateSchema.parse(JSON.parse(snapshot));
    this.#taken = taken;
    this.#firstWh = first;
    this.#lastWh = last;
    this.#cutOvers = cutOvers;
    this.#model.restore(model);
  }

  /** When the next reading is due, by the meter's clock. */
  get dueAtMs(): number {
    const { startMs, intervalMs } = this.#plan;
    return startMs + this.#taken * intervalMs;
  }

  /** The register at a time of the meter's clock. */
  #read(localMs: number): Reading {
    return { timestampMs: localMs, measurements: this.#model.sample(localMs - this.#plan.driftMs) };
  }
}

function energyOf({ measurements }: Reading): number {
  return measurements.find(({ metric }) => metric === ACTIVE_ENERGY)?.value ?? 0;
}
