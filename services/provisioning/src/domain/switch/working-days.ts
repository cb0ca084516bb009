import { HOLIDAY_RULES, holidaysOf, type HolidayRule } from './holidays.ts';

/** Where deadlines are counted: the market's time zone, and the free days beside Saturday and Sunday. */
export interface MarketCalendar {
  /** IANA name, for example "Europe/Berlin". */
  readonly timeZone: string;
  readonly holidays: readonly HolidayRule[];
}

/** The market that counts unless an order names another. */
export const DEFAULT_MARKET = 'DE';

/** The markets whose calendars are known. */
export const MARKETS: ReadonlyMap<string, MarketCalendar> = new Map([
  ['DE', { timeZone: 'Europe/Berlin', holidays: HOLIDAY_RULES.DE }],
  ['DK', { timeZone: 'Europe/Copenhagen', holidays: HOLIDAY_RULES.DK }],
  ['GB', { timeZone: 'Europe/London', holidays: HOLIDAY_RULES.GB }],
]);

const HOUR_MS = 3_600_000;
/** BNetzA BK6-22-024: the API of the metering point look-up. */
const LOOK_UP_MS = 2 * HOUR_MS;
const WEEKEND: ReadonlySet<string> = new Set(['Sat', 'Sun']);
/** No market has a longer row of days without work. */
const MAX_FREE_DAYS = 14;

/** True when people work on the day on which `instant` lies. */
export function isWorkingDay(instant: number, calendar: MarketCalendar): boolean {
  const { date, weekday } = localDay(instant, calendar.timeZone);
  return !WEEKEND.has(weekday) && !isHoliday(date, calendar);
}

/** When a market has to have answered the question which metering point it is: two hours after it. */
export function lookUpDeadline(askedAt: number): number {
  return askedAt + LOOK_UP_MS;
}

/** When the technical switch has to be over by the calendar of a market; an unknown one is the default. */
export function deadlineIn(market: string, cutOverAt: number): number {
  const calendar = MARKETS.get(market) ?? MARKETS.get(DEFAULT_MARKET);
  return calendar === undefined ? cutOverAt : technicalDeadline(cutOverAt, calendar);
}

/**
 * When a technical switch has to be over: 24 hours after the instant, or after the start of the next working
 * day when the instant lies on a free one (Directive (EU) 2019/944, article 12). Days are those of
 * the market: the switch to and from summer time moves their start.
 */
export function technicalDeadline(cutOverAt: number, calendar: MarketCalendar): number {
  return startOfWork(cutOverAt, calendar) + 24 * HOUR_MS;
}

function startOfWork(instant: number, calendar: MarketCalendar): number {
  if (isWorkingDay(instant, calendar)) return instant;
  const limit = instant + MAX_FREE_DAYS * 24 * HOUR_MS;
  // Hour by hour: a day of the market can have 23 or 25 of them.
  for (let at = Math.ceil(instant / HOUR_MS) * HOUR_MS; at < limit; at += HOUR_MS) {
    if (isWorkingDay(at, calendar)) return at;
  }
  return limit;
}

const YEARS = new Map<string, ReadonlySet<string>>();

function isHoliday(day: string, { timeZone, holidays }: MarketCalendar): boolean {
  const year = day.slice(0, 4);
  const key = `${timeZone} ${year}`;
  const known = YEARS.get(key) ?? holidaysOf(holidays, Number(year));
  YEARS.set(key, known);
  return known.has(day);
}

const FORMATS = new Map<string, Intl.DateTimeFormat>();

function localDay(instant: number, timeZone: string): { readonly date: string; readonly weekday: string } {
  const known = FORMATS.get(timeZone);
  const format =
    known ??
    new Intl.DateTimeFormat('en-GB', {
      timeZone,
      weekday: 'short',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
    });
  FORMATS.set(timeZone, format);
  const parts = new Map(format.formatToParts(instant).map(({ type, value }) => [type, value]));
  return {
    date: `${parts.get('year')}-${parts.get('month')}-${parts.get('day')}`,
    weekday: parts.get('weekday') ?? '',
  };
}
