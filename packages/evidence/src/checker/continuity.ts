import type { MeterEvidence } from '../evidence.ts';
import type { BillingLine, MeterTruth, Misbilling, RehearsalRecord } from './rehearsal.ts';
import { growthOf } from './register.ts';
import { openSealedReading, type SealedReading } from './sealed-reading.ts';

/** How one meter's energy was accounted for. */
export interface Continuity {
  /** Energy of the register that nobody billed. */
  readonly gapWh: number;
  /** Energy of the register that was billed twice. */
  readonly overlapWh: number;
  /** Growth of the register less all that was billed. */
  readonly residualWh: number;
  /** What is wrong with the readings themselves. */
  readonly problems: readonly string[];
  readonly misbillings: readonly Misbilling[];
  readonly readings: readonly SealedReading[];
}

/**
 * Accounts for one meter: its sealed readings against the register, and the suppliers' bills against both.
 *
 * @param switches The meter's evidence of every switch that it went through, in their order.
 */
export function checkContinuity(
  switches: readonly MeterEvidence[],
  truth: MeterTruth,
  billing: readonly BillingLine[],
  rehearsal: RehearsalRecord,
): Continuity {
  const opened = truth.records.map((record) =>
    openSealedReading(record, truth.endpoint, (supplier, version) =>
      rehearsal.recordKeys.get(`${supplier}:${version}`),
    ),
  );
  const readings = opened.filter((reading) => reading !== undefined);
  const problems: string[] = [];
  if (readings.length !== opened.length)
    problems.push(`${opened.length - readings.length} records do not open`);
  problems.push(...sequenceProblems(readings), ...instantProblems(readings, truth, rehearsal));
  problems.push(...handOverProblems(readings, switches));
  problems.push(...billProblems(billing, readings, truth.capacityWh));
  const billed = billing.reduce((sum, line) => sum + line.energyWh, 0);
  const { gapWh, overlapWh, misbillings } = coverage(billing, readings, truth);
  const residualWh = truth.lastRegisterWh - truth.firstRegisterWh - billed;
  return { gapWh, overlapWh, residualWh, problems, misbillings, readings };
}

/** Sequence numbers count up by one: none was lost and none sent twice. */
function sequenceProblems(readings: readonly SealedReading[]): string[] {
  const problems: string[] = [];
  readings.forEach(({ sequence }, i) => {
    const before = readings[i - 1]?.sequence;
    if (before !== undefined && sequence !== before + 1)
      problems.push(`sequence ${sequence} follows ${before}`);
  });
  return problems;
}

/**
 * Every interval's end between the first and the last has exactly one reading, and registers never run
 * backwards.
 */
function instantProblems(
  readings: readonly SealedReading[],
  truth: MeterTruth,
  { intervalMs }: RehearsalRecord,
): string[] {
  const problems: string[] = [];
  const instants = new Set(readings.map(({ at }) => at));
  let missing = 0;
  for (let at = truth.firstAt; at <= truth.lastAt; at += intervalMs) if (!instants.has(at)) missing++;
  if (missing > 0) problems.push(`${missing} intervals have no reading`);
  const ordered = readings.toSorted((a, b) => a.at - b.at || a.sequence - b.sequence);
  ordered.forEach(({ registerWh }, i) => {
    const before = ordered[i - 1]?.registerWh;
    if (before !== undefined && growthOf(before, registerWh, truth.capacityWh) < 0)
      problems.push(`the register runs from ${before} to ${registerWh}`);
  });
  return problems;
}

/** Readings in the order of their sealing, cut where the supplier changes. */
function reignsOf(readings: readonly SealedReading[]): readonly (readonly SealedReading[])[] {
  const reigns: SealedReading[][] = [];
  for (const reading of readings) {
    const last = reigns.at(-1);
    if (last?.[0]?.supplier === reading.supplier) last.push(reading);
    else reigns.push([reading]);
  }
  return reigns;
}

/** Suppliers follow each other as the switches say, and at each instant one reading ends and begins. */
function handOverProblems(
  readings: readonly SealedReading[],
  switches: readonly MeterEvidence[],
): readonly string[] {
  const reigns = reignsOf(readings);
  const problems: string[] = [];
  let at = 0;
  for (const evidence of switches) {
    const [old = [], fresh = []] = [reigns[at], reigns[at + 1]];
    const moved = fresh[0]?.supplier === evidence.to;
    if (evidence.state === 'confirmed') problems.push(...oneHandOver(old, fresh, evidence));
    else if (moved && evidence.state !== 'exception') problems.push('the new supplier has readings');
    if (moved) at++;
  }
  if (reigns.length > at + 1) problems.push('a supplier has readings without a switch to it');
  return problems;
}

function oneHandOver(
  old: readonly SealedReading[],
  fresh: readonly SealedReading[],
  { from, to, cutOverAt, cutOver }: MeterEvidence,
): readonly string[] {
  const [closing, opening] = [old.at(-1), fresh[0]];
  if (closing?.supplier !== from || opening?.supplier !== to) return ['a supplier has no reading'];
  const problems: string[] = [];
  if (closing.reading !== opening.reading) problems.push('closing and opening reading differ');
  if (opening.sequence !== closing.sequence + 1) {
    problems.push('closing and opening record were not sealed together');
  }
  if (cutOver?.closingRecord !== closing.digest || cutOver.openingRecord !== opening.digest) {
    problems.push('the suppliers hold other cut-over records than the meter sealed');
  }
  if (closing.at !== cutOverAt)
    problems.push(`the cut-over reading is of ${closing.at - cutOverAt} ms after the instant`);
  if (old.some((reading) => reading.at > cutOverAt))
    problems.push('the old supplier has readings from after the instant');
  if (fresh.some((reading) => reading.at < cutOverAt))
    problems.push('the new supplier has readings from before the instant');
  return problems;
}

/** Each bill is what the register grew by between two readings of that supplier. */
function billProblems(
  billing: readonly BillingLine[],
  readings: readonly SealedReading[],
  capacityWh: number | undefined,
): string[] {
  const register = new Map(readings.map(({ supplier, at, registerWh }) => [`${supplier}@${at}`, registerWh]));
  const wrong = billing.filter(({ supplier, from, until, energyWh }) => {
    const [before, after] = [register.get(`${supplier}@${from}`), register.get(`${supplier}@${until}`)];
    return before === undefined || after === undefined || growthOf(before, after, capacityWh) !== energyWh;
  });
  return wrong.length === 0 ? [] : [`${wrong.length} bills are not what the register grew by`];
}

/**
 * How much of the register's growth was billed by nobody, and how much more than once, instant by instant.
 */
function coverage(
  billing: readonly BillingLine[],
  readings: readonly SealedReading[],
  truth: MeterTruth,
): { readonly gapWh: number; readonly overlapWh: number; readonly misbillings: readonly Misbilling[] } {
  const registerAt = new Map<number, number>(readings.map(({ at, registerWh }) => [at, registerWh]));
  const { capacityWh = Number.POSITIVE_INFINITY } = truth;
  registerAt.set(truth.firstAt, truth.firstRegisterWh % capacityWh);
  registerAt.set(truth.lastAt, truth.lastRegisterWh % capacityWh);
  const instants = [...registerAt.keys()].toSorted((a, b) => a - b);
  const misbillings: Misbilling[] = [];
  let gapWh = 0;
  let overlapWh = 0;
  instants.forEach((until, i) => {
    const from = instants[i - 1];
    if (from === undefined) return;
    const energy = growthOf(registerAt.get(from) ?? 0, registerAt.get(until) ?? 0, capacityWh);
    const times = billing.filter((line) => line.from <= from && line.until >= until).length;
    if (times === 0) gapWh += energy;
    if (times > 1) overlapWh += energy * (times - 1);
    if (times !== 1) misbillings.push({ endpoint: truth.endpoint, from, until, energyWh: energy, times });
  });
  return { gapWh, overlapWh, misbillings };
}
