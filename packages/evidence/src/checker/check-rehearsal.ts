import { checkContinuity, type Continuity } from './continuity.ts';
import { energyInvariants, evidenceInvariants, invariantOf, keyInvariants } from './invariants.ts';
import type { BillingLine, RehearsalRecord, Verdict } from './rehearsal.ts';

/**
 * Judges a rehearsal from what was left behind: sealed records, bills, evidence. It shares no code with what
 * made them.
 *
 * @example
 * const verdict = checkRehearsal(record);
 * const passed = verdict.invariants.every(({ holds }) => holds);
 */
export function checkRehearsal(rehearsal: RehearsalRecord): Verdict {
  const { meters } = rehearsal.bundle;
  const bills = byEndpoint(rehearsal.billing);
  const continuity = new Map<string, Continuity>();
  const unaccounted: string[] = [];
  for (const meter of meters) {
    const truth = rehearsal.truths.get(meter.endpoint);
    if (truth === undefined) unaccounted.push(`${meter.endpoint}: nobody knows its register`);
    else {
      const found = checkContinuity(meter, truth, bills.get(meter.endpoint) ?? [], rehearsal);
      continuity.set(meter.endpoint, found);
    }
  }
  const { invariants, receiptsVerified } = evidenceInvariants(rehearsal);
  const oldProbes = meters
    .filter(({ state }) => state === 'confirmed')
    .flatMap(({ probes, from }) => probes.filter(({ by }) => by === from));
  const sum = (pick: (found: Continuity) => number): number =>
    [...continuity.values()].reduce((total, found) => total + pick(found), 0);
  return {
    meters: meters.length,
    switched: meters.filter(({ state }) => state === 'confirmed').length,
    rolledBack: meters.filter(({ state }) => state === 'rolled-back').length,
    exceptions: countReasons(meters.filter(({ state }) => state === 'exception')),
    gapWh: sum(({ gapWh }) => gapWh),
    overlapWh: sum(({ overlapWh }) => overlapWh),
    residualWh: sum(({ residualWh }) => Math.abs(residualWh)),
    oldSupplierProbes: oldProbes.length,
    oldSupplierProbesRefused: oldProbes.filter(({ sw }) => sw !== '9000').length,
    canaryHits: rehearsal.canaryHits.length,
    receiptsVerified,
    invariants: [
      invariantOf('every meter of the switch is accounted for', unaccounted, `${meters.length} meters`),
      ...energyInvariants(continuity),
      ...keyInvariants(rehearsal),
      ...invariants,
    ],
  };
}

function byEndpoint(billing: readonly BillingLine[]): ReadonlyMap<string, readonly BillingLine[]> {
  const map = new Map<string, BillingLine[]>();
  for (const line of billing) {
    const lines = map.get(line.endpoint);
    if (lines === undefined) map.set(line.endpoint, [line]);
    else lines.push(line);
  }
  return map;
}

function countReasons(meters: readonly { readonly reason: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { reason } of meters) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
}
