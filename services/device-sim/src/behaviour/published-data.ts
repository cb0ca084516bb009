import { readFileSync } from 'node:fs';
import { z } from 'zod';

const QUARTER_HOURS = 96;
const CYCLE_SECONDS = 1800;

const dayCurve = z.array(z.number().int().nonnegative()).length(QUARTER_HOURS);
const season = z.object({ workday: dayCurve, saturday: dayCurve, sunday: dayCurve });
const loadProfile = z.object({
  powerMilliwattsPerMegawattHourAndYear: z.object({ winter: season, transition: season, summer: season }),
});
const drivingCycle = z.object({
  speedTenthsKmh: z.array(z.number().int().nonnegative()).length(CYCLE_SECONDS + 1),
});

/** Seasons of the BDEW profiles. */
export type Season = 'winter' | 'transition' | 'summer';
/** Types of day of the BDEW profiles. */
export type DayType = 'workday' | 'saturday' | 'sunday';

/** BDEW H0: milliwatts at each quarter of an hour, for a yearly consumption of 1 MWh, before dynamisation. */
export const H0_PROFILE: Readonly<Record<Season, Readonly<Record<DayType, readonly number[]>>>> = load(
  'bdew-h0.json',
  loadProfile,
).powerMilliwattsPerMegawattHourAndYear;

/** WLTC class 3b: the speed in tenths of km/h at every second from 0 to 1,800. */
export const WLTC_SPEED: readonly number[] = load('wltc-class-3b.json', drivingCycle).speedTenthsKmh;

function load<T extends z.ZodType>(file: string, schema: T): z.infer<T> {
  return schema.parse(JSON.parse(readFileSync(new URL(`../../data/${file}`, import.meta.url), 'utf8')));
}
