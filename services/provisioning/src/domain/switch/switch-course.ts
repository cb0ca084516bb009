import { FRESH_PACE, type PaceState } from './pace.ts';
import type { Tally } from './waves.ts';

/** A time at which a switch rested, milliseconds since 1970. */
export interface Interruption {
  readonly from: number;
  /** 0 while it lasts. */
  readonly until: number;
  /** Why the switch stopped by itself; empty when somebody paused it. */
  readonly stopped: string;
}

/** How a switch as a whole goes, beside its meters: what it was told, and what its gates let through. */
export interface SwitchCourse {
  readonly paused: boolean;
  /** Why it stopped by itself; empty while it did not. */
  readonly stopped: string;
  /** All meters that could be were asked to be taken back. */
  readonly cancelled: boolean;
  readonly interruptions: readonly Interruption[];
  /** When each wave was prepared, the first ones first. */
  readonly preparedAt: readonly number[];
  /** Failures up to here were looked at by whoever resumed the switch. */
  readonly judged: Tally;
  /** Meters that are begun, and meters that are taken to the head end. */
  readonly begun: PaceState;
  readonly taken: PaceState;
}

/** Of a switch that has just been ordered. */
export const FRESH_COURSE: SwitchCourse = {
  paused: false,
  stopped: '',
  cancelled: false,
  interruptions: [],
  preparedAt: [],
  judged: { passed: 0, failed: 0 },
  begun: FRESH_PACE,
  taken: FRESH_PACE,
};

/** Of a switch that is paused again and again only the latest times are kept. */
const MAX_INTERRUPTIONS = 50;

/** A switch comes to rest: paused by somebody, or stopped by itself for a reason. */
export function interrupt(course: SwitchCourse, now: number, stopped: string): SwitchCourse {
  if (course.paused || course.stopped !== '') return course;
  const interruptions = [...course.interruptions, { from: now, until: 0, stopped }].slice(-MAX_INTERRUPTIONS);
  return stopped === '' ? { ...course, paused: true, interruptions } : { ...course, stopped, interruptions };
}

/** A switch goes on: failures are counted anew. */
export function goOn(course: SwitchCourse, now: number, judged: Tally): SwitchCourse {
  return { ...course, paused: false, stopped: '', interruptions: ended(course, now), judged };
}

/**
 * All meters are taken back that can be; a switch that had stopped by itself goes on with the others, which
 * have their cut-over reading behind them and no way back.
 */
export function cancel(course: SwitchCourse, now: number): SwitchCourse {
  const interruptions = course.paused ? course.interruptions : ended(course, now);
  return { ...course, cancelled: true, interruptions };
}

function ended({ interruptions }: SwitchCourse, now: number): readonly Interruption[] {
  return interruptions.map((one) => (one.until === 0 ? { ...one, until: now } : one));
}

/** True while only meters that are taken back may go on. */
export function isResting({ paused, stopped, cancelled }: SwitchCourse): boolean {
  return paused || (stopped !== '' && !cancelled);
}
