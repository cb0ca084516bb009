import { usageError } from '../command-line.ts';
import { beginningMs } from '../switching/pacing.ts';
import type { RehearsalPlan } from './rehearsal-plan.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Time of the rehearsal from its start to the instant: what a market has for its look-ups, at least. */
export function noticeOf({ noticeMs, compress }: Pick<RehearsalPlan, 'noticeMs' | 'compress'>): number {
  return Math.max(HOUR_MS, Math.round(noticeMs * compress));
}

/** Time of the rehearsal that pacing and pauses need before the instant; 0 when there are none. */
export function preparationOf({ pacing, pause, meters }: RehearsalPlan): number {
  return beginningMs(pacing, meters) + (pause?.of === 'prepared' ? pause.forMs : 0);
}

/** @throws SefleetError `CLI_USAGE` for a plan whose last meters would be begun too late for their look-up */
export function checkNotice(plan: RehearsalPlan): void {
  const needed = preparationOf(plan);
  const notice = noticeOf(plan);
  if (needed === 0 || needed + HOUR_MS <= notice) return;
  const enough = Math.ceil((needed + HOUR_MS) / plan.compress / 1000);
  throw usageError(
    `at this rate and with these pauses ${plan.meters} devices need ${Math.ceil(needed / MINUTE_MS)} min until ` +
      `the last is begun and an hour for its look-up; the instant comes after ${Math.floor(notice / MINUTE_MS)} min`,
    `Give them more time, --at +${enough}s, or a higher --rate.`,
  );
}
