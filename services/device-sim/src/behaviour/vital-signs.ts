import type { BehaviourModel, Measurement } from './behaviour-model.ts';
import { toCentralEuropeanTime } from './civil-time.ts';
import { smoothNoise, uniformNoise } from './seeded-noise.ts';

/** How one vital sign varies. All numbers are in the sign's unit. */
export interface VitalSign {
  readonly metric: string;
  readonly unit: string;
  /** The range that no healthy adult at rest leaves, and so no value of ours. */
  readonly min: number;
  readonly max: number;
  /** The daily mean of the middle person, and how far persons differ from it. */
  readonly mean: number;
  readonly spread: number;
  /** Half of the difference between the highest and the lowest hour of the day. */
  readonly amplitude: number;
  /** Local hour of the highest value. */
  readonly peakHour: number;
  /** What changes from minute to minute. */
  readonly variation: number;
  readonly digits: number;
  readonly source: string;
}

const NEWS2 = 'Royal College of Physicians, National Early Warning Score 2 (2017): the ranges that score 0';
const MACKOWIAK =
  'Mackowiak et al., JAMA 1992;268:1578: mean 36.8 degC, lowest at 6, highest at 16 to 18 h, 0.5 degC apart';
const ESH =
  'ESH/ESC guidelines for arterial hypertension (2018): below 140/90 by day; dipping of 10 to 20 % at night';
const HEART =
  'American Heart Association: 60 to 100 per minute at rest; Furlan, Circulation 1990;81:537: lowest asleep';

/** The vital signs of an adult at rest, from published reference ranges. */
export const VITAL_SIGNS: readonly VitalSign[] = [
  sign('heartRate', '1/min', [51, 100], [72, 8], [6, 15], 4, 0, `${HEART}; ${NEWS2}`),
  sign('oxygenSaturation', '%', [96, 100], [97.5, 0.6], [0.3, 14], 0.6, 0, NEWS2),
  sign('respiratoryRate', '1/min', [12, 20], [15.5, 1.2], [0.9, 15], 1.2, 0, NEWS2),
  sign('bodyTemperature', 'Cel', [36.1, 38], [36.8, 0.2], [0.25, 17], 0.06, 1, `${MACKOWIAK}; ${NEWS2}`),
  sign('systolicPressure', 'mm[Hg]', [91, 139], [115, 8], [8, 11], 4, 0, ESH),
  sign('diastolicPressure', 'mm[Hg]', [55, 89], [72, 5], [5, 11], 3, 0, ESH),
];

/** The wearer of an RPM kit: every vital sign follows the time of day, the person and the minute. */
export class VitalSigns implements BehaviourModel {
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  sample(atMs: number): readonly Measurement[] {
    const { hour } = toCentralEuropeanTime(atMs);
    return VITAL_SIGNS.map((vital, stream) => ({
      metric: vital.metric,
      value: this.#valueOf(vital, stream, atMs, hour),
      unit: vital.unit,
    }));
  }

  /** Nothing is integrated. */
  snapshot(): string {
    return '';
  }

  restore(): void {}

  carryOver(): void {}

  #valueOf(vital: VitalSign, stream: number, atMs: number, hour: number): number {
    const person = vital.spread * (2 * uniformNoise(this.#seed, stream, 0) - 1);
    const circadian = vital.amplitude * Math.cos(((hour - vital.peakHour) * Math.PI) / 12);
    // Two rhythms of which neither is a multiple of the other, so that the sum does not repeat.
    const slow = smoothNoise(this.#seed, stream + VITAL_SIGNS.length, atMs, 420_000);
    const fast = smoothNoise(this.#seed, stream + 2 * VITAL_SIGNS.length, atMs, 47_000);
    const value = vital.mean + person + circadian + vital.variation * (0.6 * slow + 0.4 * fast);
    const scale = 10 ** vital.digits;
    return Math.round(Math.min(vital.max, Math.max(vital.min, value)) * scale) / scale;
  }
}

function sign(
  metric: string,
  unit: string,
  [min, max]: readonly [number, number],
  [mean, spread]: readonly [number, number],
  [amplitude, peakHour]: readonly [number, number],
  variation: number,
  digits: number,
  source: string,
): VitalSign {
  return { metric, unit, min, max, mean, spread, amplitude, peakHour, variation, digits, source };
}
