import type { MeterEvidence } from '../evidence.ts';
import { accountOf } from './accounts.ts';
import { checkContinuity, type Continuity } from './continuity.ts';
import { countFaults, faultInvariants, type Outcome } from './faults.ts';
import { IntervalTally } from './interval-tally.ts';
import { invariantOf } from './invariant.ts';
import { energyInvariants, evidenceInvariants } from './invariants.ts';
import { keyInvariants } from './key-invariants.ts';
import type { MeterAccount, RehearsalRecord, Verdict } from './rehearsal.ts';
import { readerInvariant } from './reader-invariant.ts';
import { serverInvariants } from './server-invariants.ts';

/**
 * Judges a rehearsal from what was left behind: sealed records, bills, evidence. It shares no code with what
 * made them.
 *
 * @example
 * const verdict = checkRehearsal(record);
 * const passed = verdict.invariants.every(({ holds }) => holds);
 */
export function checkRehearsal(rehearsal: RehearsalRecord): Verdict {
  const { bundle, billing, truths } = rehearsal;
  const journeys = grouped(bundle.meters);
  const bills = grouped(billing);
  const continuity = new Map<string, Continuity>();
  const accounts: MeterAccount[] = [];
  const unaccounted: string[] = [];
  const tally = new IntervalTally(rehearsal.intervalMs);
  for (const [endpoint, switches] of journeys) {
    const truth = truths.get(endpoint);
    if (truth === undefined) unaccounted.push(`${endpoint}: nobody knows its register`);
    else {
      const found = checkContinuity(switches, truth, bills.get(endpoint) ?? [], rehearsal);
      continuity.set(endpoint, found);
      accounts.push(accountOf(switches, truth, bills.get(endpoint) ?? [], found));
      tally.add(truth, found.readings);
    }
  }
  const { invariants, receiptsVerified } = evidenceInvariants(rehearsal);
  const oldProbes = bundle.meters
    .filter(({ state }) => state === 'confirmed')
    .flatMap(({ probes, from }) => probes.filter(({ by }) => by === from));
  const sum = (pick: (found: Continuity) => number): number =>
    [...continuity.values()].reduce((total, found) => total + pick(found), 0);
  const outcomes = new Map([...journeys].map(([endpoint, own]) => [endpoint, endOfJourney(own)]));
  const ends = [...outcomes.values()];
  return {
    meters: journeys.size,
    switched: ends.filter(({ state }) => state === 'confirmed').length,
    rolledBack: ends.filter(({ state }) => state === 'rolled-back').length,
    exceptions: countReasons(ends.filter(({ state }) => state === 'exception')),
    gapWh: sum(({ gapWh }) => gapWh),
    overlapWh: sum(({ overlapWh }) => overlapWh),
    residualWh: sum(({ residualWh }) => Math.abs(residualWh)),
    oldSupplierProbes: oldProbes.length,
    oldSupplierProbesRefused: oldProbes.filter(({ sw }) => sw !== '9000').length,
    canaryHits: rehearsal.canaryHits.length,
    receiptsVerified,
    invariants: [
      invariantOf('every meter of the switch is accounted for', unaccounted, `${journeys.size} meters`),
      ...energyInvariants(continuity),
      readerInvariant(rehearsal),
      ...keyInvariants(bundle),
      ...invariants,
      ...serverInvariants(rehearsal),
      ...faultInvariants(rehearsal, outcomes),
    ],
    faults: countFaults(rehearsal, outcomes),
    accounts,
    misbillings: [...continuity.values()].flatMap(({ misbillings }) => misbillings),
    intervals: tally.counts(),
  };
}

/** How a meter came out: as its first switch that was not confirmed, or as its last. */
function endOfJourney(switches: readonly MeterEvidence[]): Outcome {
  const bad = switches.find(({ state }) => state !== 'confirmed');
  return bad ?? switches.at(-1) ?? { state: 'exception', reason: 'no-evidence' };
}

function grouped<T extends { readonly endpoint: string }>(
  items: readonly T[],
): ReadonlyMap<string, readonly T[]> {
  const map = new Map<string, T[]>();
  for (const item of items) {
    const list = map.get(item.endpoint);
    if (list === undefined) map.set(item.endpoint, [item]);
    else list.push(item);
  }
  return map;
}

function countReasons(meters: readonly { readonly reason: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { reason } of meters) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
}
