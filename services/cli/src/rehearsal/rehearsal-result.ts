import type { EvidenceBundle, MeterTruth, Verdict } from '@sefleet/evidence';

/** How a party takes part, for the knowledge table. */
export interface PartyKnowledge {
  readonly name: string;
  readonly title: string;
  readonly roles: readonly string[];
  readonly holds: readonly string[];
}

/** All that a rehearsal leaves. */
export interface RehearsalResult {
  readonly verdict: Verdict;
  readonly bundle: EvidenceBundle;
  readonly parties: readonly PartyKnowledge[];
  readonly truths: ReadonlyMap<string, MeterTruth>;
  readonly details: ReadonlyMap<string, string>;
  readonly cutOverAt: number;
  readonly startedAt: number;
  readonly endedAt: number;
  /** Real milliseconds of each phase. */
  readonly phasesMs: Readonly<Record<string, number>>;
}
