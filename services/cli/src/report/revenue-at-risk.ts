import type { MeterEvidence, Verdict } from '@sefleet/evidence';
import type { RehearsalStory } from '../rehearsal/rehearsal-plan.ts';

/** An estimate of what a switch can cost: energy whose bill is missing, double, or with the wrong one. */
export interface RevenueAtRisk {
  readonly unbilledWh: number;
  readonly billedTwiceWh: number;
  /** After the instant, of meters that ended as an exception: the new supplier counted on it. */
  readonly notSwitchedWh: number;
  /** What is assumed for a kilowatt-hour. */
  readonly eurPerKWh: number;
  readonly eur: number;
}

/** Roughly what households pay in the markets that can be rehearsed; an estimate needs no more. */
const EUR_PER_KWH = 0.3;
const WH_PER_KWH = 1000;

/** The estimate; null where registers count no energy. */
export function revenueAtRisk(
  story: RehearsalStory,
  { gapWh, overlapWh, accounts }: Verdict,
  meters: readonly MeterEvidence[],
): RevenueAtRisk | null {
  if (story !== 'supplier-switch') return null;
  const failed = new Set(meters.filter(({ state }) => state === 'exception').map(({ endpoint }) => endpoint));
  const notSwitchedWh = accounts
    .filter(({ endpoint }) => failed.has(endpoint))
    .reduce((sum, { afterInstantWh }) => sum + afterInstantWh, 0);
  const kWh = (gapWh + overlapWh + notSwitchedWh) / WH_PER_KWH;
  const eur = Math.round(kWh * EUR_PER_KWH * 100) / 100;
  return { unbilledWh: gapWh, billedTwiceWh: overlapWh, notSwitchedWh, eurPerKWh: EUR_PER_KWH, eur };
}
