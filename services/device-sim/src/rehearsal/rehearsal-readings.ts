import { z } from 'zod';
import type { BehaviourModel, Measurement } from '../behaviour/behaviour-model.ts';
import { HouseholdLoad } from '../behaviour/household-load.ts';
import { deviceSeed } from '../behaviour/seeded-noise.ts';
import { VehicleDrive } from '../behaviour/vehicle-drive.ts';
import { VitalSigns } from '../behaviour/vital-signs.ts';
import type { DeviceKind } from '../device-kind.ts';
import type { Reading } from '../device/reading-source.ts';
import type { ReadingSupply } from '../device/reading-schedule.ts';

/** What decides the readings of a rehearsed meter. */
export interface RehearsalReadingPlan {
  readonly seed: bigint;
  readonly kind: DeviceKind;
  /** Number of the meter, from 1. */
  readonly number: number;
  /** Instant of the first reading, by the meter's clock. */
  readonly startMs: number;
  readonly intervalMs: number;
  /** By how much the meter's clock is ahead. */
  readonly driftMs: number;
}

/** What counts up on a device of each kind, and is charged by. */
const COUNTER: Readonly<Record<DeviceKind, string>> = {
  'smart-meter': 'activeEnergyWh',
  obu: 'odometerM',
  'rpm-gateway': 'measurementsTaken',
};
/** A kit measures once a minute, and reports what it measured last. */
const MEASURE_EVERY_MS = 60_000;
const stateSchema = z.object({
  taken: z.number().int(),
  model: z.string(),
  first: z.number(),
  last: z.number(),
  cutOvers: z.array(z.object({ instant: z.number(), takenAt: z.number(), registerWh: z.number() })),
});

type CutOverReading = z.infer<typeof stateSchema>['cutOvers'][number];

/** Readings at the ends of intervals, of a world that goes on whatever the device's clock says. */
export class RehearsalReadings implements ReadingSupply {
  readonly #plan: RehearsalReadingPlan;
  readonly #model: BehaviourModel;
  #taken = 0;
  #firstWh = 0;
  #lastWh = 0;
  #cutOvers: CutOverReading[] = [];

  constructor(plan: RehearsalReadingPlan) {
    this.#plan = plan;
    this.#model = modelOf(plan);
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
    const wh = this.#counterIn(reading);
    if (this.#taken === 0) this.#firstWh = wh;
    this.#lastWh = wh;
    this.#taken++;
    return reading;
  }

  /** A reading out of turn is one for a cut-over. */
  at(instantMs: number): Reading {
    const reading = this.#read(instantMs);
    const takenAt = instantMs - this.#plan.driftMs;
    this.#cutOvers.push({ instant: instantMs, takenAt, registerWh: this.#counterIn(reading) });
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
    const { kind, driftMs, startMs, intervalMs } = this.#plan;
    const trueMs = localMs - driftMs;
    const measurements = this.#model.sample(trueMs);
    if (kind !== 'rpm-gateway') return { timestampMs: localMs, measurements };
    const value = Math.floor((trueMs - startMs + 2 * intervalMs) / MEASURE_EVERY_MS);
    const taken: Measurement = { metric: COUNTER[kind], value, unit: 'count' };
    return { timestampMs: localMs, measurements: [...measurements, taken] };
  }

  #counterIn({ measurements }: Reading): number {
    const counter = COUNTER[this.#plan.kind];
    return measurements.find(({ metric }) => metric === counter)?.value ?? 0;
  }
}

/** The models begin before the first reading: a clock that is behind asks for earlier. */
function modelOf({ kind, seed, number, startMs, intervalMs }: RehearsalReadingPlan): BehaviourModel {
  const own = deviceSeed(seed, number);
  const beginMs = startMs - 2 * intervalMs;
  switch (kind) {
    case 'smart-meter':
      return new HouseholdLoad(own, beginMs);
    case 'obu':
      return new VehicleDrive(own, beginMs);
    case 'rpm-gateway':
      return new VitalSigns(own);
    default:
      return kind satisfies never;
  }
}
