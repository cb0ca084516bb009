/** A rule by which a day of every year is free. */
export type HolidayRule =
  /** The same date every year. */
  | { readonly kind: 'date'; readonly month: number; readonly day: number; readonly substitute?: true }
  /** So many days after Easter Sunday. */
  | { readonly kind: 'easter'; readonly days: number }
  /** A Monday: the first or the last one of a month. */
  | { readonly kind: 'monday'; readonly month: number; readonly which: 'first' | 'last' };

const DAY_MS = 86_400_000;
const MONDAY = 1;
const GOOD_FRIDAY = easter(-2);
const EASTER_MONDAY = easter(1);
const ASCENSION = easter(39);
const WHIT_MONDAY = easter(50);
const NEW_YEAR = date(1, 1);
const CHRISTMAS = [date(12, 25), date(12, 26)];

/** The free days of markets, beside Saturday and Sunday; by ISO 3166 code. */
export const HOLIDAY_RULES = {
  /** All of Germany: those of single Länder do not move the deadlines of its market. */
  DE: [NEW_YEAR, GOOD_FRIDAY, EASTER_MONDAY, date(5, 1), ASCENSION, WHIT_MONDAY, date(10, 3), ...CHRISTMAS],
  /** Denmark, since Great Prayer Day was given up in 2024. */
  DK: [NEW_YEAR, easter(-3), GOOD_FRIDAY, EASTER_MONDAY, ASCENSION, WHIT_MONDAY, ...CHRISTMAS],
  /** England and Wales: a holiday at a weekend is made up for on the next working day. */
  GB: [
    { ...NEW_YEAR, substitute: true },
    GOOD_FRIDAY,
    EASTER_MONDAY,
    { kind: 'monday', month: 5, which: 'first' },
    { kind: 'monday', month: 5, which: 'last' },
    { kind: 'monday', month: 8, which: 'last' },
    ...CHRISTMAS.map((rule) => ({ ...rule, substitute: true as const })),
  ],
} as const satisfies Readonly<Record<string, readonly HolidayRule[]>>;

/** The free days of a year, `YYYY-MM-DD`. */
export function holidaysOf(rules: readonly HolidayRule[], year: number): ReadonlySet<string> {
  const days = new Set<string>();
  for (const rule of rules) {
    let day = dayOf(rule, year);
    if (rule.kind === 'date' && rule.substitute === true)
      while (isWeekend(day) || days.has(isoDate(day))) day += DAY_MS;
    days.add(isoDate(day));
  }
  return days;
}

/** Easter Sunday in the Gregorian calendar (Meeus, Astronomical Algorithms, chapter 8), UTC midnight. */
export function easterSunday(year: number): number {
  const a = year % 19;
  const [b, c] = [Math.floor(year / 100), year % 100];
  const [d, e] = [Math.floor(b / 4), b % 4];
  const f = Math.floor((b + 8) / 25);
  const g = Math.floor((b - f + 1) / 3);
  const h = (19 * a + b - d - g + 15) % 30;
  const [i, k] = [Math.floor(c / 4), c % 4];
  const l = (32 + 2 * e + 2 * i - h - k) % 7;
  const m = Math.floor((a + 11 * h + 22 * l) / 451);
  const sum = h + l - 7 * m + 114;
  return Date.UTC(year, Math.floor(sum / 31) - 1, (sum % 31) + 1);
}

function dayOf(rule: HolidayRule, year: number): number {
  switch (rule.kind) {
    case 'date':
      return Date.UTC(year, rule.month - 1, rule.day);
    case 'easter':
      return easterSunday(year) + rule.days * DAY_MS;
    case 'monday':
      return mondayOf(rule, year);
    default:
      return rule satisfies never;
  }
}

function mondayOf({ month, which }: HolidayRule & { readonly kind: 'monday' }, year: number): number {
  const [start, step] =
    which === 'first' ? [Date.UTC(year, month - 1, 1), DAY_MS] : [Date.UTC(year, month, 0), -DAY_MS];
  let day = start;
  while (new Date(day).getUTCDay() !== MONDAY) day += step;
  return day;
}

function isWeekend(day: number): boolean {
  return [0, 6].includes(new Date(day).getUTCDay());
}

function isoDate(day: number): string {
  return new Date(day).toISOString().slice(0, 10);
}

function date(month: number, day: number) {
  return { kind: 'date', month, day } as const;
}

function easter(days: number) {
  return { kind: 'easter', days } as const;
}
