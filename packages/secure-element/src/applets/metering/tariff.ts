import { decodeTlvs, encodeTlv, requireTlv, STATUS_WORD } from '@sefleet/globalplatform';
import { refuse } from '../../card/refusal.ts';

/** From when on which rate is in force. */
export interface TariffSwitch {
  /** Days of the week as bits: 01 Monday, 40 Sunday. */
  readonly days: number;
  /** Minute of the day by the tariff's own time, 0 to 1439. */
  readonly minute: number;
  /** Number of the rate, 1 to 8. */
  readonly rate: number;
}

/** A time-of-use tariff. */
export interface Tariff {
  /** What the tariff's time is ahead of UTC, -720 to 840 minutes; the same all year, as meters keep it. */
  readonly offsetMinutes: number;
  /** 1 to 16 of them. */
  readonly switches: readonly TariffSwitch[];
}

/** Rates of a tariff; a meter has a register for each. */
export const MAX_RATES = 8;
const MAX_SWITCHES = 16;
const TAG = { OFFSET: 0x80, SWITCHES: 0x81 } as const;
const SWITCH_BYTES = 4;
const ALL_DAYS = 0x7f;
const DAY_MINUTES = 1440;
const MINUTE_MS = 60_000;
const WEEK_MS = 7 * DAY_MINUTES * MINUTE_MS;
/** 1970 began on a Thursday. */
const FIRST_DAY_MS = 3 * DAY_MINUTES * MINUTE_MS;
const OFFSET_MIN = -720;
const OFFSET_MAX = 840;

/** The tariff as a data object: the offset in two bytes, then four bytes a switch. */
export function encodeTariff({ offsetMinutes, switches }: Tariff): Uint8Array {
  const times = switches.flatMap(({ days, minute, rate }) => [days, minute >> 8, minute & 0xff, rate]);
  return Buffer.concat([
    encodeTlv(TAG.OFFSET, Uint8Array.of(offsetMinutes >> 8, offsetMinutes)),
    encodeTlv(TAG.SWITCHES, Uint8Array.from(times)),
  ]);
}

/** Reads {@link encodeTariff}; the command ends with 6A80 when it is none. */
export function decodeTariff(data: Uint8Array): Tariff {
  const objects = decodeTlvs(data);
  const offset = requireTlv(objects, TAG.OFFSET);
  const times = requireTlv(objects, TAG.SWITCHES);
  const count = times.length / SWITCH_BYTES;
  if (offset.length !== 2 || !Number.isInteger(count) || count < 1 || count > MAX_SWITCHES) {
    return refuse(STATUS_WORD.WRONG_DATA);
  }
  const offsetMinutes = new DataView(offset.buffer, offset.byteOffset).getInt16(0);
  if (offsetMinutes < OFFSET_MIN || offsetMinutes > OFFSET_MAX) refuse(STATUS_WORD.WRONG_DATA);
  const switches = Array.from({ length: count }, (_, i) => {
    const [days = 0, high = 0, low = 0, rate = 0] = times.subarray(i * SWITCH_BYTES);
    const minute = (high << 8) | low;
    const isValid = days > 0 && days <= ALL_DAYS && minute < DAY_MINUTES && rate > 0 && rate <= MAX_RATES;
    return isValid ? { days, minute, rate } : refuse(STATUS_WORD.WRONG_DATA);
  });
  return { offsetMinutes, switches };
}

/** A tariff's week: from which millisecond of it on which rate is in force, in order. */
type Week = readonly { readonly startMs: number; readonly rate: number }[];

/** The rate in force at an instant. */
export function rateAt(tariff: Tariff, atMs: number): number {
  return rateIn(weekOf(tariff), positionOf(tariff, atMs));
}

/**
 * Milliseconds that each rate was in force between two instants, by rate number from 1. Weeks repeat, so that
 * the work does not grow with the time between.
 */
export function timePerRate(tariff: Tariff, fromMs: number, untilMs: number): readonly number[] {
  const week = weekOf(tariff);
  const spans = Array<number>(MAX_RATES).fill(0);
  const add = (rate: number, ms: number): void => {
    spans[rate - 1] = (spans[rate - 1] ?? 0) + ms;
  };
  const wholeWeeks = Math.floor((untilMs - fromMs) / WEEK_MS);
  if (wholeWeeks > 0) {
    week.forEach(({ startMs, rate }, i) => {
      add(rate, wholeWeeks * ((week[i + 1]?.startMs ?? WEEK_MS + (week[0]?.startMs ?? 0)) - startMs));
    });
  }
  let left = untilMs - fromMs - wholeWeeks * WEEK_MS;
  for (let at = positionOf(tariff, fromMs); left > 0;) {
    const next = week.find(({ startMs }) => startMs > at)?.startMs ?? WEEK_MS;
    const span = Math.min(left, next - at);
    add(rateIn(week, at), span);
    left -= span;
    at = (at + span) % WEEK_MS;
  }
  return spans;
}

function weekOf({ switches }: Tariff): Week {
  const week = switches.flatMap(({ days, minute, rate }) =>
    [0, 1, 2, 3, 4, 5, 6]
      .filter((day) => (days & (1 << day)) !== 0)
      .map((day) => ({ startMs: (day * DAY_MINUTES + minute) * MINUTE_MS, rate })),
  );
  return week.toSorted((a, b) => a.startMs - b.startMs);
}

/** Where in the tariff's week an instant lies. */
function positionOf({ offsetMinutes }: Tariff, atMs: number): number {
  const local = atMs + offsetMinutes * MINUTE_MS + FIRST_DAY_MS;
  return ((local % WEEK_MS) + WEEK_MS) % WEEK_MS;
}

/** Before the first switch of the week, the last of the week before is in force. */
function rateIn(week: Week, atMs: number): number {
  return week.findLast(({ startMs }) => startMs <= atMs)?.rate ?? week.at(-1)?.rate ?? 1;
}
