import { z } from 'zod';
import type { BehaviourModel, Measurement } from '../behaviour/behaviour-model.ts';
import { HouseholdLoad } from '../behaviour/household-load.ts';
import { deviceSeed, uniformNoise } from '../behaviour/seeded-noise.ts';
import { VehicleDrive } from '../behaviour/vehicle-drive.ts';
import { VitalSigns } from '../behaviour/vital-signs.ts';
import { DEVICE_KINDS, type DeviceKind } from '../device-kind.ts';

/** What decides a device's readings, all of them. */
export interface ReadingPlan {
  readonly fleetSeed: bigint;
  readonly kind: DeviceKind;
  /** Number among the devices of its kind, from 1. */
  readonly number: number;
  readonly intervalMs: number;
  /** Virtual milliseconds per millisecond. */
  readonly timeCompression: number;
  /**
   * Virtual time of the fleet's start; undefined: {@link MODEL_REFERENCE_MS}, and records tell the real time.
   */
  readonly virtualStartMs: number | undefined;
}

/** One reading, not sealed yet. */
export interface Reading {
  readonly timestampMs: number;
  readonly measurements: readonly Measurement[];
}

/**
 * The evening of a workday in January: where the models begin when nobody says otherwise, so that one seed
 * gives the same readings whenever it is used.
 */
const MODEL_REFERENCE_MS: number = Date.UTC(2026, 0, 12, 16);

const stateSchema = z.object({ taken: z.number().int(), anchorMs: z.number(), model: z.string() });
const PHASE_STREAM = 1000;
/** Devices of one kind are numbered below it. */
const NUMBERS_PER_KIND = 10_000_000;

/**
 * The readings of one device, one after the other. Reading number n shows the model at a virtual time that
 * follows from the plan and n alone: when it is taken does not change it.
 */
export class ReadingSource {
  readonly #plan: ReadingPlan;
  readonly #model: BehaviourModel;
  /** Where in its interval the device reads, so that a fleet does not read all at once. */
  readonly phaseMs: number;
  #taken = 0;
  /** Real time to which the first reading belongs. */
  #anchorMs: number | undefined;

  constructor(plan: ReadingPlan) {
    const seed = deviceSeed(plan.fleetSeed, DEVICE_KINDS.indexOf(plan.kind) * NUMBERS_PER_KIND + plan.number);
    this.#plan = plan;
    this.phaseMs = Math.floor(uniformNoise(seed, PHASE_STREAM, 0) * plan.intervalMs);
    this.#model = createModel(plan.kind, seed, plan.virtualStartMs ?? MODEL_REFERENCE_MS);
  }

  get taken(): number {
    return this.#taken;
  }

  /** Within one interval the first, an interval after the present moment every other. */
  delayMs(): number {
    return this.#taken === 0 ? this.phaseMs : this.#plan.intervalMs;
  }

  /** A reading out of turn: the models know no moment but the next one. */
  at(instantMs: number): Reading {
    return this.next(instantMs);
  }

  /** Takes the next reading. */
  next(nowMs: number): Reading {
    const { virtualStartMs, intervalMs, timeCompression } = this.#plan;
    const elapsedMs = (this.phaseMs + this.#taken * intervalMs) * timeCompression;
    const measurements = this.#model.sample((virtualStartMs ?? MODEL_REFERENCE_MS) + elapsedMs);
    const timestampMs = virtualStartMs === undefined ? this.#realTime(nowMs) : virtualStartMs + elapsedMs;
    this.#taken++;
    return { timestampMs: Math.round(timestampMs), measurements };
  }

  /** Where it has come to, as JSON, for {@link ReadingSource.restore}. */
  snapshot(): string {
    return JSON.stringify({
      taken: this.#taken,
      anchorMs: this.#anchorMs ?? 0,
      model: this.#model.snapshot(),
    });
  }

  /** Goes on from a snapshot of the same plan. */
  restore(snapshot: string): void {
    const { taken, anchorMs, model } = stateSchema.parse(JSON.parse(snapshot));
    this.#taken = taken;
    this.#anchorMs = taken === 0 ? undefined : anchorMs;
    this.#model.restore(model);
  }

  /** Begins anew with the registers of a device that was part of another plan. */
  carryOver(snapshot: string): void {
    this.#model.carryOver(stateSchema.parse(JSON.parse(snapshot)).model);
  }

  /**
   * Real time, with compressed virtual time since the first reading on top; a device that was off goes on
   * from now.
   */
  #realTime(nowMs: number): number {
    const sinceFirstMs = this.#taken * this.#plan.intervalMs * this.#plan.timeCompression;
    this.#anchorMs = Math.max(this.#anchorMs ?? 0, nowMs - sinceFirstMs);
    return this.#anchorMs + sinceFirstMs;
  }
}

function createModel(kind: DeviceKind, seed: number, startMs: number): BehaviourModel {
  switch (kind) {
    case 'smart-meter':
      return new HouseholdLoad(seed, startMs);
    case 'obu':
      return new VehicleDrive(seed, startMs);
    case 'rpm-gateway':
      return new VitalSigns(seed);
    default:
      return kind satisfies never;
  }
}
