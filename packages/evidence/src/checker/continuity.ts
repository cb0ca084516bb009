import type { MeterEvidence } from '../evidence.ts';
import { contractsOf, type Accounts, type Contract, type ContractLine, type HandOver } from './contracts.ts';
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

/** What one line of contracts has to account for: the register from its first to its last instant. */
interface Span {
  readonly firstAt: number;
  readonly lastAt: number;
  readonly firstRegisterWh: number;
  readonly lastRegisterWh: number;
  readonly capacityWh: number | undefined;
}

/**
 * Accounts for one meter: its sealed readings against the register, and the suppliers' bills against both.
 * Where several read it at the same time, each has an account of its own, and none of them may have a gap.
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
  const accounts = contractsOf(switches, readings);
  const problems: string[] = [];
  if (readings.length !== opened.length)
    problems.push(`${opened.length - readings.length} records do not open`);
  problems.push(
    ...contractProblems(accounts, switches),
    ...billProblems(billing, readings, truth.capacityWh),
  );
  const bills = sharedBills(accounts.lines, billing);
  const misbillings: Misbilling[] = [];
  const sums = { gapWh: 0, overlapWh: 0, residualWh: 0 };
  accounts.lines.forEach((line, i) => {
    const own = bills[i] ?? [];
    const span = spanOf(line, truth);
    const lineReadings = line.flatMap((contract) => contract.readings);
    problems.push(...sequenceProblems(lineReadings), ...instantProblems(lineReadings, span, rehearsal));
    const found = coverage(own, lineReadings, span, truth.endpoint);
    const billed = own.reduce((sum, { energyWh }) => sum + energyWh, 0);
    sums.gapWh += found.gapWh;
    sums.overlapWh += found.overlapWh;
    sums.residualWh += Math.abs(span.lastRegisterWh - span.firstRegisterWh - billed);
    misbillings.push(...found.misbillings);
  });
  return { ...sums, problems, misbillings, readings };
}

/** What the register said when the first of a line began to read and the last ended. */
function spanOf(line: ContractLine, truth: MeterTruth): Span {
  const [begin, end] = [line[0]?.from, line.at(-1)?.until];
  const registerAt = (instant: number): number => {
    let counted = truth.cutOvers.find((taken) => taken.instant === instant)?.registerWh ?? Number.NaN;
    // What the register shows may have begun at 0 again since the first reading.
    while (counted < truth.firstRegisterWh) counted += truth.capacityWh ?? Number.NaN;
    return counted;
  };
  return {
    firstAt: begin ?? truth.firstAt,
    lastAt: end ?? truth.lastAt,
    firstRegisterWh: begin === undefined ? truth.firstRegisterWh : registerAt(begin),
    lastRegisterWh: end === undefined ? truth.lastRegisterWh : registerAt(end),
    capacityWh: truth.capacityWh,
  };
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
  span: Span,
  { intervalMs }: RehearsalRecord,
): string[] {
  const problems: string[] = [];
  const instants = new Set(readings.map(({ at }) => at));
  let missing = 0;
  for (let at = span.firstAt; at <= span.lastAt; at += intervalMs) if (!instants.has(at)) missing++;
  if (missing > 0) problems.push(`${missing} intervals have no reading`);
  const ordered = readings.toSorted((a, b) => a.at - b.at || a.sequence - b.sequence);
  ordered.forEach(({ registerWh }, i) => {
    const before = ordered[i - 1]?.registerWh;
    if (before !== undefined && growthOf(before, registerWh, span.capacityWh) < 0)
      problems.push(`the register runs from ${before} to ${registerWh}`);
  });
  return problems;
}

/** Contracts begin and end as the evidence says, and nobody reads without one. */
function contractProblems(accounts: Accounts, switches: readonly MeterEvidence[]): string[] {
  const problems = accounts.handOvers.flatMap(handOverProblems);
  for (const { contract, evidence } of accounts.begun)
    problems.push(...beginProblems(contract, evidence, 'the added party'));
  for (const { contract, evidence } of accounts.ended)
    problems.push(...endProblems(contract, evidence, 'the removed party'));
  for (const supplier of new Set(accounts.strays.map((stray) => stray.supplier))) {
    const isNew = switches.some(({ to, state }) => to === supplier && state !== 'confirmed');
    problems.push(isNew ? 'the new supplier has readings' : 'a supplier has readings without a switch to it');
  }
  problems.push(...repeatedNumbers(accounts.lines.flat()));
  return problems;
}

function handOverProblems({ old, fresh, evidence }: HandOver): readonly string[] {
  if (evidence.state !== 'confirmed') return [];
  const [closing, opening] = [old.readings.at(-1), fresh.readings[0]];
  if (closing === undefined || opening === undefined) return ['a supplier has no reading'];
  const problems: string[] = [];
  if (closing.reading !== opening.reading) problems.push('closing and opening reading differ');
  if (opening.sequence !== closing.sequence + 1) {
    problems.push('closing and opening record were not sealed together');
  }
  problems.push(...endProblems(old, evidence, 'the old supplier'));
  problems.push(...beginProblems(fresh, evidence, 'the new supplier'));
  return problems;
}

function beginProblems({ readings }: Contract, { cutOverAt, cutOver, state }: MeterEvidence, who: string) {
  if (state !== 'confirmed') return [];
  const [opening] = readings;
  const problems: string[] = [];
  if (opening === undefined) return [`${who} has no reading`];
  if (cutOver?.openingRecord !== opening.digest)
    problems.push(`${who} holds other cut-over records than the meter sealed`);
  if (opening.at !== cutOverAt)
    problems.push(`the first reading of ${who} is of ${opening.at - cutOverAt} ms after the instant`);
  if (readings.some(({ at }) => at < cutOverAt)) problems.push(`${who} has readings from before the instant`);
  return problems;
}

function endProblems({ readings }: Contract, { cutOverAt, cutOver, state }: MeterEvidence, who: string) {
  if (state !== 'confirmed') return [];
  const closing = readings.at(-1);
  const problems: string[] = [];
  if (closing === undefined) return [`${who} has no reading`];
  if (cutOver?.closingRecord !== closing.digest)
    problems.push(`${who} holds other cut-over records than the meter sealed`);
  if (closing.at !== cutOverAt)
    problems.push(`the last reading of ${who} is of ${closing.at - cutOverAt} ms after the instant`);
  if (readings.some(({ at }) => at > cutOverAt)) problems.push(`${who} has readings from after the instant`);
  return problems;
}

/** A nonce is made of the number: for one party on one device none comes twice, whatever the contract. */
function repeatedNumbers(contracts: readonly Contract[]): string[] {
  const seen = new Set<string>();
  let repeated = 0;
  for (const { party, readings } of contracts) {
    for (const { sequence } of readings) {
      const number = `${party} ${sequence}`;
      if (seen.has(number)) repeated++;
      seen.add(number);
    }
  }
  return repeated === 0 ? [] : [`${repeated} numbers of records were used twice`];
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

/** The bills by line: those of its parties, where one has been in several, by the time that they are for. */
function sharedBills(
  lines: readonly ContractLine[],
  billing: readonly BillingLine[],
): readonly (readonly BillingLine[])[] {
  const bills = lines.map((): BillingLine[] => []);
  for (const bill of billing) {
    const own = (line: ContractLine): readonly Contract[] =>
      line.filter(({ party }) => party === bill.supplier);
    const isWithin = ({ from, until }: Contract): boolean =>
      (from === undefined || bill.from >= from) && (until === undefined || bill.until <= until);
    const within = lines.findIndex((line) => own(line).some(isWithin));
    const any = lines.findIndex((line) => own(line).length > 0);
    // A bill of somebody who never had a contract is one too many for whoever had the first.
    bills[within >= 0 ? within : Math.max(0, any)]?.push(bill);
  }
  return bills;
}

/**
 * How much of the register's growth was billed by nobody, and how much more than once, instant by instant.
 */
function coverage(
  billing: readonly BillingLine[],
  readings: readonly SealedReading[],
  span: Span,
  endpoint: string,
): { readonly gapWh: number; readonly overlapWh: number; readonly misbillings: readonly Misbilling[] } {
  const registerAt = new Map<number, number>(readings.map(({ at, registerWh }) => [at, registerWh]));
  const { capacityWh = Number.POSITIVE_INFINITY } = span;
  registerAt.set(span.firstAt, span.firstRegisterWh % capacityWh);
  registerAt.set(span.lastAt, span.lastRegisterWh % capacityWh);
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
    if (times !== 1) misbillings.push({ endpoint, from, until, energyWh: energy, times });
  });
  return { gapWh, overlapWh, misbillings };
}
