/** A local point in time as a load profile needs it. */
export interface CivilTime {
  readonly month: number;
  readonly day: number;
  /** 1 to 366. */
  readonly dayOfYear: number;
  /** 0 to 95. */
  readonly quarterHour: number;
  /** Hours since local midnight with their fraction. */
  readonly hour: number;
  /** Days since 1970-01-01, local. */
  readonly dayNumber: number;
  readonly year: number;
  /** 0 Sunday to 6 Saturday. */
  readonly weekday: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** Central European time (UTC+1, UTC+2 in summer) by the rule of Directive 2000/84/EC. */
export function toCentralEuropeanTime(atMs: number): CivilTime {
  const localMs = atMs + (isSummerTime(atMs) ? 2 : 1) * HOUR_MS;
  const dayNumber = Math.floor(localMs / DAY_MS);
  const ofDayMs = localMs - dayNumber * DAY_MS;
  const date = new Date(dayNumber * DAY_MS);
  const year = date.getUTCFullYear();
  return {
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    dayOfYear: dayNumber - Date.UTC(year, 0, 1) / DAY_MS + 1,
    quarterHour: Math.floor(ofDayMs / (HOUR_MS / 4)),
    hour: ofDayMs / HOUR_MS,
    dayNumber,
    year,
    weekday: date.getUTCDay(),
  };
}

/** From the last Sunday of March to the last Sunday of October, both at 01:00 UTC. */
function isSummerTime(atMs: number): boolean {
  const year = new Date(atMs).getUTCFullYear();
  return atMs >= lastSunday(year, 2) + HOUR_MS && atMs < lastSunday(year, 9) + HOUR_MS;
}

function lastSunday(year: number, monthIndex: number): number {
  const last = Date.UTC(year, monthIndex + 1, 0);
  return last - new Date(last).getUTCDay() * DAY_MS;
}

/** True on the public holidays of all German states, which load profiles treat as Sundays. */
export function isPublicHoliday({ year, month, day, dayNumber }: CivilTime): boolean {
  if (FIXED_HOLIDAYS.some(([inMonth, onDay]) => inMonth === month && onDay === day)) return true;
  const fromEaster = dayNumber - easterDayNumber(year);
  return MOVABLE_HOLIDAYS.includes(fromEaster);
}

/** New Year, Labour Day, German Unity Day, Christmas and the day after. */
const FIXED_HOLIDAYS = [
  [1, 1],
  [5, 1],
  [10, 3],
  [12, 25],
  [12, 26],
] as const;
/**
 * Days after Easter Sunday: Good Friday, Easter Monday, Ascension, Whit Monday; Easter and Whitsun are
 * Sundays.
 */
const MOVABLE_HOLIDAYS: readonly number[] = [-2, 1, 39, 50];

/**
 * Easter Sunday of the Gregorian calendar, by Gauss's rule with its two corrections, as days since
 * 1970-01-01.
 */
function easterDayNumber(year: number): number {
  const century = Math.floor(year / 100);
  const m = 15 + Math.floor((3 * century + 3) / 4) - Math.floor((8 * century + 13) / 25);
  const s = 2 - Math.floor((3 * century + 3) / 4);
  const a = year % 19;
  const d = (19 * a + m) % 30;
  const r = Math.floor((d + Math.floor(a / 11)) / 29);
  const paschalMoon = 21 + d - r;
  const sunday = 7 - ((year + Math.floor(year / 4) + s) % 7);
  const distance = 7 - ((((paschalMoon - sunday) % 7) + 7) % 7);
  return Date.UTC(year, 2, paschalMoon + distance) / DAY_MS;
}
