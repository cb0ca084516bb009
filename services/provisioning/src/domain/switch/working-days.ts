/** Where deadlines are counted: the market's time zone, and the free days beside Saturday and Sunday. */
export interface MarketCalendar {
  /** IANA name, for example "Europe/Berlin". */
  readonly timeZone: string;
  /** `YYYY-MM-DD`. */
  readonly holidays: ReadonlySet<string>;
}

const HOUR_MS = 3_600_000;
const WEEKEND: ReadonlySet<string> = new Set(['Sat', 'Sun']);
/** No market has a longer row of days without work. */
const MAX_FREE_DAYS = 14;

/** Holidays that all of Germany has in 2026 and 2027; a market sets its own. */
export const GERMAN_CALENDAR: MarketCalendar = {
  timeZone: 'Europe/Berlin',
  holidays: new Set([
    '2026-01-01',
    '2026-04-03',
    '2026-04-06',
    '2026-05-01',
    '2026-05-14',
    '2026-05-25',
    '2026-10-03',
    '2026-12-25',
    '2026-12-26',
    '2027-01-01',
    '2027-03-26',
    '2027-03-29',
    '2027-05-01',
    '2027-05-06',
    '2027-05-17',
    '2027-10-03',
    '2027-12-25',
    '2027-12-26',
  ]),
};

/** True when people work on the day on which `instant` lies. */
export function isWorkingDay(instant: number, calendar: MarketCalendar): boolean {
  const { date, weekday } = localDay(instant, calendar.timeZone);
  return !WEEKEND.has(weekday) && !calendar.holidays.has(date);
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
