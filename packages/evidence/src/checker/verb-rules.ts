import type { MeterEvidence } from '../evidence.ts';

/** What a verb does with the two parties that evidence names. */
export interface VerbRules {
  /** Somebody new has keys on the device afterwards: the party `to`. */
  readonly comes: boolean;
  /** Somebody has none any more: the party `from`. */
  readonly goes: boolean;
}

const HAND_OVER: VerbRules = { comes: true, goes: true };
const RULES: ReadonlyMap<string, VerbRules> = new Map([
  ['add', { comes: true, goes: false }],
  ['remove', { comes: false, goes: true }],
]);

/** The rules of a verb; one follows another unless it is said otherwise. */
export function rulesOf({ verb }: Pick<MeterEvidence, 'verb'>): VerbRules {
  return RULES.get(verb) ?? HAND_OVER;
}

/** True when there is one who is on the device before and after, and whom nothing of it concerns. */
export function hasBystander(meter: Pick<MeterEvidence, 'verb'>): boolean {
  const { comes, goes } = rulesOf(meter);
  return !(comes && goes);
}
