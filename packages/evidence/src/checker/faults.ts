import type { SwitchReason } from '../reasons.ts';
import { invariantOf, type Invariant } from './invariant.ts';
import type { FaultCount, RehearsalRecord } from './rehearsal.ts';

/** How a meter came out. */
export interface Outcome {
  readonly state: string;
  readonly reason: string;
}

/** Faults that no meter may survive, and the reason under which each is found. */
const MUST_BE_FOUND: ReadonlyMap<string, SwitchReason> = new Map([
  ['swap', 'swapped-card'],
  ['tsm-preload', 'preloaded-keys'],
  ['foreign-certificate', 'certificate-refused'],
  ['expired-certificate', 'certificate-refused'],
  ['se-full', 'se-full'],
  ['look-up-late', 'look-up-unanswered'],
]);

type Outcomes = ReadonlyMap<string, Outcome>;

/** What became of the meters, fault by fault. */
export function countFaults({ faults = new Map() }: RehearsalRecord, outcomes: Outcomes): FaultCount[] {
  const counts = new Map<string, { -readonly [K in keyof FaultCount]: FaultCount[K] }>();
  for (const [endpoint, played] of faults) {
    const { state = '', reason = '' } = outcomes.get(endpoint) ?? {};
    for (const fault of new Set(played)) {
      const foundAs = MUST_BE_FOUND.get(fault);
      const detected = foundAs === undefined ? null : 0;
      const none = { fault, played: 0, survived: 0, rolledBack: 0, exceptions: 0, detected };
      const count = counts.get(fault) ?? none;
      count.played++;
      if (state === 'confirmed') count.survived++;
      if (state === 'rolled-back') count.rolledBack++;
      if (state === 'exception') count.exceptions++;
      if (state === 'exception' && reason === foundAs) count.detected = (count.detected ?? 0) + 1;
      counts.set(fault, count);
    }
  }
  return [...counts.values()].toSorted((a, b) => (a.fault < b.fault ? -1 : 1));
}

/** A fault that must be found has ended the switch of its meter. */
export function faultInvariants({ faults }: RehearsalRecord, outcomes: Outcomes): readonly Invariant[] {
  if (faults === undefined) return [];
  const attacked = [...faults].flatMap(([endpoint, played]) =>
    played.filter((fault) => MUST_BE_FOUND.has(fault)).map((fault) => ({ endpoint, fault })),
  );
  const missed = attacked.filter(({ endpoint }) => outcomes.get(endpoint)?.state === 'confirmed');
  return [
    invariantOf(
      'no meter is confirmed on which an attack or a fault that must be found was played',
      missed.map(({ endpoint, fault }) => `${endpoint}: ${fault} was played and not found`),
      attacked.length === 0 ? 'none was played' : `${attacked.length} played, none confirmed`,
    ),
  ];
}
