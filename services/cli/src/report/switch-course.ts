import type { switching } from '@sefleet/api';
import type { MeterEvidence } from '@sefleet/evidence';
import { escapeMarkup, table } from './markup.ts';

/** How a switch as a whole went, beside its meters; times are ISO 8601, by the rehearsal's clock. */
export interface SwitchCourse {
  readonly from: string;
  readonly to: string;
  /** 0 for no cap. */
  readonly ratePerMinute: number;
  /** The most meters whose preparation, and whose cut-over, began in any minute. */
  readonly begunPerMinuteMax: number;
  readonly cutOverPerMinuteMax: number;
  /** Shares of the meters, one after the other, and when each was prepared or over; empty when never. */
  readonly waves: readonly { readonly percent: number; readonly preparedAt: string }[];
  readonly wavePauseSeconds: number;
  readonly stopAbovePercent: number;
  /** When it was paused, or had stopped by itself and why; `until` is empty when it never went on. */
  readonly interruptions: readonly Interruption[];
  /** All meters were taken back that could be. */
  readonly cancelled: boolean;
}

interface Interruption {
  readonly from: string;
  readonly until: string;
  readonly stopped: string;
}

const MINUTE_MS = 60_000;

/** The course of a switch that is over. */
export function courseOf(state: switching.GetSwitchResponse, meters: readonly MeterEvidence[]): SwitchCourse {
  const own = meters.filter(({ switchId }) => switchId === state.switchId);
  const rest = 100 - state.waves.reduce((sum, share) => sum + share, 0);
  const shares = rest > 0 ? [...state.waves, rest] : state.waves;
  return {
    from: state.fromSupplier,
    to: state.toSupplier,
    ratePerMinute: state.ratePerMinute,
    begunPerMinuteMax: busiestMinute(own, 'mandate'),
    cutOverPerMinuteMax: busiestMinute(own, 'cut-over-read'),
    waves: shares.map((percent, i) => ({ percent, preparedAt: timeOf(state.preparedAt[i] ?? 0n) })),
    wavePauseSeconds: state.wavePauseSeconds,
    stopAbovePercent: state.stopAbovePercent,
    interruptions: state.interruptions.map(({ from, until, stopped }) => {
      return { from: timeOf(from), until: timeOf(until), stopped };
    }),
    cancelled: state.cancelled,
  };
}

/** What was asked of the pace and what came between, a line each; none of a switch that went by itself. */
export function courseLines(course: SwitchCourse): readonly string[] {
  const { ratePerMinute, begunPerMinuteMax, cutOverPerMinuteMax, waves, wavePauseSeconds } = course;
  const lines: string[] = [];
  if (ratePerMinute > 0)
    lines.push(
      `rate: ${ratePerMinute} a minute at the most; the busiest began ${begunPerMinuteMax} ` +
        `and cut over ${cutOverPerMinuteMax}`,
    );
  if (waves.length > 1) {
    const pause = wavePauseSeconds > 0 ? `, ${wavePauseSeconds} s between them` : '';
    const told = waves.map(({ percent, preparedAt }) => {
      return `${percent} % ${preparedAt === '' ? 'never passed' : `prepared or over at ${preparedAt}`}`;
    });
    lines.push(`waves: ${told.join('; ')}${pause}`);
  }
  for (const { from, until, stopped } of course.interruptions) {
    const span = `from ${from} ${until === '' ? 'to the end' : `to ${until}`}`;
    lines.push(stopped === '' ? `paused ${span}` : `stopped by itself ${span}: ${stopped}`);
  }
  if (course.cancelled) lines.push('cancelled: meters were taken back as far as they could be');
  return lines;
}

/** The same for the page. */
export function courseSection(courses: readonly SwitchCourse[]): string {
  const rows = courses.flatMap((course) =>
    courseLines(course).map((line) => [`${course.from} to ${course.to}`, line]),
  );
  if (rows.length === 0) return '';
  return `<section><h2>${escapeMarkup('Pace, waves and pauses')}</h2>${table(['switch', ''], rows)}</section>`;
}

function busiestMinute(meters: readonly MeterEvidence[], step: string): number {
  const times = meters
    .flatMap(({ timings }) => timings.filter((timing) => timing.step === step))
    .map(({ startedAt }) => startedAt)
    .toSorted((a, b) => a - b);
  let [most, first] = [0, 0];
  for (const [i, at] of times.entries()) {
    while ((times[first] ?? at) <= at - MINUTE_MS) first++;
    most = Math.max(most, i - first + 1);
  }
  return most;
}

function timeOf(at: bigint): string {
  return at === 0n ? '' : new Date(Number(at)).toISOString();
}
