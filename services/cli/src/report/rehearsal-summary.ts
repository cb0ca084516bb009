import type { FaultCount, Invariant, MeterEvidence, StepTiming } from '@sefleet/evidence';
import { createHash } from 'node:crypto';
import { canonicalJson } from '@sefleet/evidence';
import type { LoadProfile } from '../rehearsal/load-sampler.ts';
import type { NetworkPeak, NetworkProfile } from '../rehearsal/network-sampler.ts';
import type { RehearsalPlan } from '../rehearsal/rehearsal-plan.ts';
import type { RehearsalResult } from '../rehearsal/rehearsal-result.ts';
import { endOf, meterRows, type MeterRow } from './meter-rows.ts';
import type { SwitchCourse } from './switch-course.ts';
import { revenueAtRisk, type RevenueAtRisk } from './revenue-at-risk.ts';

/** Percentiles of a duration in milliseconds of the rehearsal's clock; null where nothing was measured. */
export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** `summary.json`; its schema is beside it. */
export interface RehearsalSummary {
  readonly meters: number;
  readonly switched: number;
  readonly rolledBack: number;
  readonly exceptions: Readonly<Record<string, number>>;
  readonly gapWh: number;
  readonly overlapWh: number;
  readonly residualWh: number;
  readonly oldSupplierProbes: number;
  readonly oldSupplierProbesRefused: number;
  readonly canaryHits: number;
  readonly receiptsVerified: number;
  /** Real time of the whole rehearsal. */
  readonly durationMs: number;
  readonly timingsMs: {
    /** Real time of each phase. */
    readonly phases: Readonly<Record<string, number>>;
    /** From the first step to the market's answer: the order is accepted. */
    readonly orderToAccepted: Percentiles | null;
    /** From there to the new supplier's own keys on the card. */
    readonly acceptedToInstalled: Percentiles | null;
    /** From the instant to the first record that the new supplier had. */
    readonly instantToFirstRecord: Percentiles | null;
    /** From the decision to take a meter back to the end of it: nothing of the new supplier is left. */
    readonly takeBack: Percentiles | null;
    /** From the question to the market to its answer. */
    readonly lookUp: Percentiles | null;
    /** From the first step to the meter's note of the instant. */
    readonly staging: Percentiles | null;
    /** From the instant to the confirmed end. */
    readonly instantToConfirmed: Percentiles | null;
    /** From the new supplier's first record to the end of the old one's domain: both had a way in. */
    readonly bothHadAccess: Percentiles | null;
    /** Real time for which a meter was registered with both suppliers' own servers; live ground only. */
    readonly registeredWithBoth: Percentiles | null;
    /** By how much the cut-over readings missed the instant, by true time. */
    readonly readingOffset: Percentiles | null;
  };
  /**
   * Share of the cut-over readings of confirmed meters that were taken at the instant, in per cent; null
   * without any.
   */
  readonly actualReadsPercent: number | null;
  /** How each switch went as a whole: rate, waves, pauses, stops. */
  readonly course: readonly SwitchCourse[];
  /** What is wrong with meters that were confirmed all the same, by reason. */
  readonly findings: Readonly<Record<string, number>>;
  /** What became of the meters, by the fault that was played on them. */
  readonly faults: readonly FaultCount[];
  /** Null where a register counts no energy. */
  readonly revenueAtRisk: RevenueAtRisk | null;
  /** The most at once, in real time. */
  readonly peakLoad: Omit<LoadProfile, 'samples' | 'network'> & {
    /** Null where there is no network: on the light ground. */
    readonly network: NetworkPeak | null;
  };
  readonly run: {
    readonly story: RehearsalPlan['story'];
    readonly ground: RehearsalResult['ground'];
    readonly market: string;
    /** SHA-256 over all that was asked for: the same hash and version rehearse the same. */
    readonly planHash: string;
    readonly switches: number;
    readonly from: string;
    readonly to: string;
    readonly verb: string;
    readonly seed: number;
    readonly compress: number;
    readonly faults: Readonly<Record<string, number>>;
    readonly cutOverAt: string;
    readonly startedAt: string;
    readonly endedAt: string;
    readonly version: string;
    readonly evidenceRoot: string;
  };
  readonly invariants: readonly Invariant[];
}

/** The summary of a rehearsal. */
export function summariseRehearsal(
  plan: RehearsalPlan,
  result: RehearsalResult,
  durationMs: number,
  version: string,
): RehearsalSummary {
  const { verdict, bundle, cutOverAt } = result;
  const rows = meterRows(result);
  const confirmed = bundle.meters.filter(({ state }) => state === 'confirmed');
  const { misbillings: _misbillings, intervals: _intervals, accounts: _accounts, ...figures } = verdict;
  const { samples: _samples, network, ...peakLoad } = result.load;
  return {
    ...figures,
    durationMs: Math.round(durationMs),
    timingsMs: {
      phases: result.phasesMs,
      orderToAccepted: percentiles(bundle.meters.flatMap((meter) => between(meter, 'mandate', 'look-up'))),
      acceptedToInstalled: percentiles(bundle.meters.flatMap((meter) => after(meter, 'look-up', 'own-keys'))),
      instantToFirstRecord: percentiles(confirmed.flatMap(firstRecordOf)),
      takeBack: percentiles(bundle.meters.flatMap((meter) => between(meter, 'take-back', 'take-back'))),
      lookUp: percentiles(rows.flatMap(({ lookUpMs }) => (lookUpMs === '' ? [] : [lookUpMs]))),
      staging: percentiles(bundle.meters.flatMap((meter) => between(meter, 'mandate', 'schedule'))),
      instantToConfirmed: percentiles(confirmed.map((meter) => endOf(meter) - meter.cutOverAt)),
      bothHadAccess: percentiles(confirmed.flatMap((meter) => after(meter, 'open-account', 'remove-old'))),
      registeredWithBoth: percentiles(confirmed.flatMap(registeredWithBothOf)),
      readingOffset: percentiles(readingOffsets(result).map(Math.abs)),
    },
    actualReadsPercent: shareOf(rows.filter(({ state }) => state === 'confirmed')),
    course: result.courses,
    findings: findingsOf(rows),
    revenueAtRisk: revenueAtRisk(plan.story, verdict, bundle.meters),
    peakLoad: { ...peakLoad, network: network === undefined ? null : peakOf(network) },
    run: {
      story: plan.story,
      ground: result.ground,
      market: plan.market,
      planHash: planHash(plan),
      switches: bundle.switches.length,
      from: plan.from,
      to: plan.to,
      verb: plan.verb,
      seed: plan.seed,
      compress: plan.compress,
      faults: Object.fromEntries(plan.faults),
      cutOverAt: new Date(cutOverAt).toISOString(),
      startedAt: new Date(result.startedAt).toISOString(),
      endedAt: new Date(result.endedAt).toISOString(),
      version,
      evidenceRoot: bundle.root,
    },
  };
}

/** True when every invariant holds. */
export function passed({ invariants }: RehearsalSummary): boolean {
  return invariants.every(({ holds }) => holds);
}

/** By how much cut-over readings of confirmed meters missed their instants, by true time, milliseconds. */
export function readingOffsets({ bundle, truths }: RehearsalResult): readonly number[] {
  return bundle.meters.flatMap(({ endpoint, state, cutOverAt }) => {
    const taken = truths.get(endpoint)?.cutOvers.find(({ instant }) => instant === cutOverAt);
    return state === 'confirmed' && taken !== undefined ? [taken.takenAt - cutOverAt] : [];
  });
}

/** Reasons of rows that are confirmed. */
function findingsOf(rows: readonly MeterRow[]): Record<string, number> {
  const findings: Record<string, number> = {};
  for (const { state, reason } of rows)
    if (state === 'confirmed' && reason !== '') findings[reason] = (findings[reason] ?? 0) + 1;
  return findings;
}

function peakOf({ samples: _samples, ...peak }: NetworkProfile): NetworkPeak {
  return peak;
}

function planHash(plan: RehearsalPlan): string {
  const text = canonicalJson({ ...plan, faults: Object.fromEntries(plan.faults) });
  return createHash('sha256').update(text).digest('hex');
}

function shareOf(rows: readonly { readonly source: string }[]): number | null {
  const actual = rows.filter(({ source }) => source === 'actual').length;
  return rows.length === 0 ? null : Math.round((actual * 10_000) / rows.length) / 100;
}

/** From the registration with the new supplier's server to the end of the one with the old one's. */
function registeredWithBothOf({ accounts, from, to }: MeterEvidence): number[] {
  const opened = accounts.find(({ server }) => server === to);
  const closed = accounts.find(({ server }) => server === from);
  return opened === undefined || closed === undefined ? [] : [closed.goneAt - opened.registeredAt];
}

function firstRecordOf(meter: MeterEvidence): number[] {
  const first = timingOf(meter, 'first-record');
  return first === undefined ? [] : [first.endedAt - meter.cutOverAt];
}

/** From the begin of one step to the end of another. */
function between(meter: MeterEvidence, first: string, last: string): number[] {
  const [from, until] = [timingOf(meter, first), timingOf(meter, last)];
  return from === undefined || until === undefined ? [] : [until.endedAt - from.startedAt];
}

/** From the end of one step to the end of another. */
function after(meter: MeterEvidence, first: string, last: string): number[] {
  const [from, until] = [timingOf(meter, first), timingOf(meter, last)];
  return from === undefined || until === undefined ? [] : [until.endedAt - from.endedAt];
}

function timingOf({ timings }: MeterEvidence, name: string): StepTiming | undefined {
  return timings.find(({ step }) => step === name);
}

function percentiles(values: readonly number[]): Percentiles | null {
  if (values.length === 0) return null;
  const ordered = values.toSorted((a, b) => a - b);
  const at = (share: number): number => ordered[Math.max(0, Math.ceil(ordered.length * share) - 1)] ?? 0;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: ordered.at(-1) ?? 0 };
}
