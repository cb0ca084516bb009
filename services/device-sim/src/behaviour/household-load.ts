import { z } from 'zod';
import type { BehaviourModel, Measurement } from './behaviour-model.ts';
import { isPublicHoliday, toCentralEuropeanTime, type CivilTime } from './civil-time.ts';
import { H0_PROFILE, type DayType, type Season } from './published-data.ts';
import { exponentialNoise, smoothNoise, uniformNoise } from './seeded-noise.ts';

/** Power is constant within a slot, so that its integral is a sum of exact products. */
export const SLOT_MS = 60_000;
/** Of households in the profile's country; the middle of the range that is drawn from. */
const CONSUMPTION_MIN_WH = 1_500_000;
const CONSUMPTION_SPAN_WH = 4_000_000;
/** One watt-hour in microjoules: milliwatts times milliseconds are microjoules. */
const MICROJOULES_PER_WH = 3_600_000_000;
/**
 * How the load of one household is made up: what always runs, what runs for a while, what is switched on and
 * off.
 */
const SHARE = { always: 0.3, spells: 0.35, switched: 0.35 } as const;
const SPELL_SLOTS = 20;
const STREAM = { consumption: 0, register: 1, spells: 2, switched: 3, voltage: 4 } as const;

const snapshotSchema = z.object({
  atMs: z.number(),
  registerWh: z.number().int().nonnegative(),
  remainder: z.number().int().nonnegative().lt(MICROJOULES_PER_WH),
});

/**
 * A household behind its meter: the BDEW profile H0 (dynamised), scaled to the household's yearly
 * consumption, with seeded variation around it.
 *
 * The register is a whole number of watt-hours. What is less than one is carried over, so that the register's
 * growth and the integral of the power never differ by more than 1 Wh.
 */
export class HouseholdLoad implements BehaviourModel {
  readonly #seed: number;
  readonly #yearlyWh: number;
  #atMs: number;
  #registerWh: number;
  /** Energy of the present watt-hour so far, in microjoules. */
  #remainder = 0;

  constructor(seed: number, startMs: number) {
    this.#seed = seed;
    this.#atMs = startMs;
    // The square leaves more small households than large ones.
    const share = uniformNoise(seed, STREAM.consumption, 0);
    this.#yearlyWh = CONSUMPTION_MIN_WH + Math.round(CONSUMPTION_SPAN_WH * share * share);
    this.#registerWh = Math.floor(uniformNoise(seed, STREAM.register, 0) * 50_000_000);
  }

  /** What the household takes in a year on average. */
  get yearlyConsumptionWh(): number {
    return this.#yearlyWh;
  }

  /** The power at `atMs` in whole milliwatts. */
  powerMilliwatts(atMs: number): number {
    const slot = Math.floor(atMs / SLOT_MS);
    const profile = profileMilliwatts(toCentralEuropeanTime(slot * SLOT_MS)) * (this.#yearlyWh / 1_000_000);
    const spell = exponentialNoise(this.#seed, STREAM.spells, Math.floor(slot / SPELL_SLOTS));
    const switched = exponentialNoise(this.#seed, STREAM.switched, slot);
    return Math.round(profile * (SHARE.always + SHARE.spells * spell + SHARE.switched * switched));
  }

  sample(atMs: number): readonly Measurement[] {
    this.#integrate(atMs);
    const voltage = 230 + 4 * smoothNoise(this.#seed, STREAM.voltage, this.#atMs, 15 * SLOT_MS);
    return [
      { metric: 'activeEnergyWh', value: this.#registerWh, unit: 'Wh' },
      { metric: 'activePowerW', value: this.powerMilliwatts(this.#atMs) / 1000, unit: 'W' },
      { metric: 'voltageV', value: Math.round(voltage * 10) / 10, unit: 'V' },
    ];
  }

  snapshot(): string {
    return JSON.stringify({ atMs: this.#atMs, registerWh: this.#registerWh, remainder: this.#remainder });
  }

  restore(snapshot: string): void {
    const { atMs, registerWh, remainder } = snapshotSchema.parse(JSON.parse(snapshot));
    this.#atMs = atMs;
    this.#registerWh = registerWh;
    this.#remainder = remainder;
  }

  carryOver(snapshot: string): void {
    const { registerWh, remainder } = snapshotSchema.parse(JSON.parse(snapshot));
    this.#registerWh = registerWh;
    this.#remainder = remainder;
  }

  #integrate(untilMs: number): void {
    let atMs = this.#atMs;
    while (atMs < untilMs) {
      const endMs = Math.min(untilMs, (Math.floor(atMs / SLOT_MS) + 1) * SLOT_MS);
      this.#remainder += this.powerMilliwatts(atMs) * (endMs - atMs);
      const wholeWh = Math.floor(this.#remainder / MICROJOULES_PER_WH);
      this.#registerWh += wholeWh;
      this.#remainder -= wholeWh * MICROJOULES_PER_WH;
      atMs = endMs;
    }
    this.#atMs = atMs;
  }
}

/** Milliwatts of the dynamised profile for a consumption of 1 MWh a year. */
export function profileMilliwatts(time: CivilTime): number {
  const curve = H0_PROFILE[seasonOf(time)][dayTypeOf(time)];
  return (curve[time.quarterHour] ?? 0) * dynamisation(time.dayOfYear);
}

/**
 * BDEW's polynomial that turns the steps between the seasons of H0 into a curve over the days of the year.
 */
function dynamisation(dayOfYear: number): number {
  const t = dayOfYear;
  return (((-3.92e-10 * t + 3.2e-7) * t - 7.02e-5) * t + 2.1e-3) * t + 1.24;
}

/** Winter from 1 November to 20 March, summer from 15 May to 14 September, transition in between. */
function seasonOf({ month, day }: CivilTime): Season {
  const date = month * 100 + day;
  if (date >= 1101 || date <= 320) return 'winter';
  return date >= 515 && date <= 914 ? 'summer' : 'transition';
}

/** Holidays are Sundays; 24 and 31 December are Saturdays unless they are Sundays. */
function dayTypeOf(time: CivilTime): DayType {
  if (time.weekday === 0 || isPublicHoliday(time)) return 'sunday';
  const eve = time.month === 12 && (time.day === 24 || time.day === 31);
  return time.weekday === 6 || eve ? 'saturday' : 'workday';
}
