import { z } from 'zod';
import type { BehaviourModel, Measurement } from './behaviour-model.ts';
import { WLTC_SPEED } from './published-data.ts';
import { createRoute, type Route } from './route.ts';
import { uniformNoise } from './seeded-noise.ts';

/** Tenths of km/h in one m/s. */
const TENTHS_KMH_PER_MS = 36;
const CYCLE_MS = (WLTC_SPEED.length - 1) * 1000;
const PAUSE_MAX_MS = 600_000;
const ODOMETER_MAX_M = 180_000;
const STREAM = { pause: 0, phase: 1, pace: 2, odometer: 3, fuel: 4 } as const;
/** How much faster or slower than the cycle a driver is. */
const PACE_SPREAD = 0.08;

/**
 * Metres driven since the start of the cycle at each full second. The speed changes evenly within a second,
 * so that the trapezoids are its exact integral.
 */
const DISTANCE_M: Float64Array = distances();

const metres = z.number().int().nonnegative();
const snapshotSchema = z.object({ odometerM: metres, startM: metres });

/** A vehicle that drives the WLTC class 3b again and again along its route, with a pause after each. */
export class VehicleDrive implements BehaviourModel {
  readonly #startMs: number;
  readonly #pauseMs: number;
  readonly #phaseMs: number;
  readonly #pace: number;
  #odometerStartM: number;
  readonly #fuelStart: number;
  readonly #route: Route;
  /** What the display showed last: it never shows less, whatever clock it is read at. */
  #odometerM: number;

  constructor(seed: number, startMs: number) {
    this.#startMs = startMs;
    this.#pauseMs = Math.round(uniformNoise(seed, STREAM.pause, 0) * PAUSE_MAX_MS);
    this.#phaseMs = Math.round(uniformNoise(seed, STREAM.phase, 0) * CYCLE_MS);
    this.#pace = 1 + PACE_SPREAD * (2 * uniformNoise(seed, STREAM.pace, 0) - 1);
    this.#odometerStartM = Math.floor(uniformNoise(seed, STREAM.odometer, 0) * ODOMETER_MAX_M);
    this.#fuelStart = 20 + 80 * uniformNoise(seed, STREAM.fuel, 0);
    this.#odometerM = this.#odometerStartM;
    this.#route = createRoute(seed);
  }

  /** Metres driven between the model's start and `atMs`. */
  distanceM(atMs: number): number {
    return this.#pace * (cycleDistanceM(this.#inTurns(atMs)) - cycleDistanceM(this.#inTurns(this.#startMs)));
  }

  speedKmh(atMs: number): number {
    return this.#pace * cycleSpeedKmh(this.#inTurns(atMs).withinMs);
  }

  sample(atMs: number): readonly Measurement[] {
    const distanceM = this.distanceM(atMs);
    this.#odometerM = Math.max(this.#odometerM, this.#odometerStartM + Math.floor(distanceM));
    const { latitude, longitude, headingDegrees } = this.#route.at(distanceM);
    return [
      { metric: 'speedKmh', value: round(this.speedKmh(atMs), 1), unit: 'km/h' },
      { metric: 'odometerM', value: this.#odometerM, unit: 'm' },
      { metric: 'latitude', value: round(latitude, 6), unit: 'lat' },
      { metric: 'longitude', value: round(longitude, 6), unit: 'lon' },
      { metric: 'headingDegrees', value: round(headingDegrees, 0), unit: 'deg' },
      { metric: 'fuelPercent', value: round(fuelLevel(this.#fuelStart, distanceM), 1), unit: '%' },
    ];
  }

  snapshot(): string {
    return JSON.stringify({ odometerM: this.#odometerM, startM: this.#odometerStartM });
  }

  restore(snapshot: string): void {
    const { odometerM, startM } = snapshotSchema.parse(JSON.parse(snapshot));
    this.#odometerM = odometerM;
    this.#odometerStartM = startM;
  }

  carryOver(snapshot: string): void {
    this.restore(snapshot);
    this.#odometerStartM = this.#odometerM;
  }

  #inTurns(atMs: number): { readonly cycles: number; readonly withinMs: number } {
    const periodMs = CYCLE_MS + this.#pauseMs;
    const elapsedMs = Math.max(0, atMs - this.#startMs) + this.#phaseMs;
    const cycles = Math.floor(elapsedMs / periodMs);
    return { cycles, withinMs: Math.min(elapsedMs - cycles * periodMs, CYCLE_MS) };
  }
}

function cycleDistanceM({
  cycles,
  withinMs,
}: {
  readonly cycles: number;
  readonly withinMs: number;
}): number {
  const second = Math.floor(withinMs / 1000);
  const rest = withinMs / 1000 - second;
  const from = WLTC_SPEED[second] ?? 0;
  const to = WLTC_SPEED[second + 1] ?? from;
  const partial = (from + ((to - from) * rest) / 2) * (rest / TENTHS_KMH_PER_MS);
  return cycles * (DISTANCE_M[CYCLE_MS / 1000] ?? 0) + (DISTANCE_M[second] ?? 0) + partial;
}

function cycleSpeedKmh(withinMs: number): number {
  const second = Math.floor(withinMs / 1000);
  const from = WLTC_SPEED[second] ?? 0;
  const to = WLTC_SPEED[second + 1] ?? from;
  return (from + (to - from) * (withinMs / 1000 - second)) / 10;
}

/** Refuelled when a tenth is left; 600 km are a tank. */
function fuelLevel(startPercent: number, distanceM: number): number {
  const usedPercent = distanceM / 6000;
  const range = 90;
  return 10 + ((((startPercent - 10 - usedPercent) % range) + range) % range);
}

function distances(): Float64Array {
  const sums = new Float64Array(WLTC_SPEED.length);
  for (let second = 1; second < sums.length; second++) {
    const both = (WLTC_SPEED[second - 1] ?? 0) + (WLTC_SPEED[second] ?? 0);
    sums[second] = (sums[second - 1] ?? 0) + both / 2 / TENTHS_KMH_PER_MS;
  }
  return sums;
}

function round(value: number, digits: number): number {
  const scale = 10 ** digits;
  return Math.round(value * scale) / scale;
}
