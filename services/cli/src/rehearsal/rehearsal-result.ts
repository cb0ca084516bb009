import type { FallenKill } from './killer.ts';
import type { SwitchCourse } from '../report/switch-course.ts';
import type { ScannedPlace } from './canary-scan.ts';
import type { GroundKind } from './rehearsal-layout.ts';
import type { LoadProfile } from './load-sampler.ts';
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
  /** How each switch went as a whole. */
  readonly courses: readonly SwitchCourse[];
  /** What was searched for secrets, and what was found. */
  readonly scans: readonly ScannedPlace[];
  /** Services that were killed, and where. */
  readonly kills: readonly FallenKill[];
  readonly load: LoadProfile;
  readonly ground: GroundKind;
  readonly cutOverAt: number;
  /** Of the market whose days count. */
  readonly timeZone: string;
  readonly startedAt: number;
  readonly endedAt: number;
  /** Real milliseconds of each phase. */
  readonly phasesMs: Readonly<Record<string, number>>;
}
