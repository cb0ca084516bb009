import type { MeterEvidence } from '../evidence.ts';
import type { SealedReading } from './sealed-reading.ts';
import { rulesOf } from './verb-rules.ts';

/** A time in which one party reads a device. */
export interface Contract {
  readonly party: string;
  /** The instant of its first reading; undefined: it was there when the rehearsal began. */
  readonly from: number | undefined;
  /** The instant of its last reading; undefined: it is there still. */
  until: number | undefined;
  readonly readings: SealedReading[];
}

/** Contracts that follow each other without a gap: one applet goes from hand to hand. */
export type ContractLine = readonly Contract[];

/** Two contracts of a line, and the evidence of what lies between. */
export interface HandOver {
  readonly old: Contract;
  readonly fresh: Contract;
  readonly evidence: MeterEvidence;
}

/** Who read a device when, as the evidence says. */
export interface Accounts {
  readonly lines: readonly ContractLine[];
  readonly handOvers: readonly HandOver[];
  /** Contracts that began beside others, and contracts that ended beside others. */
  readonly begun: readonly { readonly contract: Contract; readonly evidence: MeterEvidence }[];
  readonly ended: readonly { readonly contract: Contract; readonly evidence: MeterEvidence }[];
  /** Readings that were sealed for somebody without a contract. */
  readonly strays: readonly SealedReading[];
}

/**
 * Follows the switches of one device from the first to the last and gives every reading to the contract under
 * which it was sealed. A switch that is no success counts when there are readings that only it can have
 * brought about: what happened at the instant has happened.
 */
export function contractsOf(
  switches: readonly MeterEvidence[],
  readings: readonly SealedReading[],
): Accounts {
  const lines: Contract[][] = [];
  const handOvers: HandOver[] = [];
  const begun: { contract: Contract; evidence: MeterEvidence }[] = [];
  const ended: { contract: Contract; evidence: MeterEvidence }[] = [];
  const lineOf = (party: string): Contract[] => {
    const known = lines.find((line) => line.at(-1)?.party === party && line.at(-1)?.until === undefined);
    if (known !== undefined) return known;
    const fresh = [contract(party, undefined)];
    lines.push(fresh);
    return fresh;
  };
  for (const evidence of switches) {
    const { from, to, cutOverAt } = evidence;
    const { comes, goes } = rulesOf(evidence);
    const line = lineOf(from);
    const [current] = line.slice(-1);
    if (comes && !goes) {
      if (!hasCome(evidence, readings)) continue;
      const newcomer = contract(to, cutOverAt);
      lines.push([newcomer]);
      begun.push({ contract: newcomer, evidence });
      continue;
    }
    if (!comes) lineOf(to);
    if (current === undefined) continue;
    if (comes && hasCome(evidence, readings)) {
      const fresh = contract(to, cutOverAt);
      current.until = cutOverAt;
      line.push(fresh);
      handOvers.push({ old: current, fresh, evidence });
    }
    if (!comes && hasGone(evidence, readings)) {
      current.until = cutOverAt;
      ended.push({ contract: current, evidence });
    }
  }
  return { lines, handOvers, begun, ended, strays: shareOut(lines.flat(), readings) };
}

function contract(party: string, from: number | undefined): Contract {
  return { party, from, until: undefined, readings: [] };
}

function hasCome({ state, to, cutOverAt }: MeterEvidence, readings: readonly SealedReading[]): boolean {
  if (state === 'confirmed') return true;
  if (state !== 'exception') return false;
  return readings.some(({ supplier, at }) => supplier === to && at >= cutOverAt);
}

function hasGone({ state, from, cutOverAt }: MeterEvidence, readings: readonly SealedReading[]): boolean {
  if (state === 'confirmed') return true;
  if (state !== 'exception') return false;
  return !readings.some(({ supplier, at }) => supplier === from && at > cutOverAt);
}

/** Gives each reading to a contract of its party: the first that had not ended by then, else the last. */
function shareOut(contracts: readonly Contract[], readings: readonly SealedReading[]): SealedReading[] {
  const strays: SealedReading[] = [];
  const own = Map.groupBy(
    contracts.toSorted((a, b) => (a.from ?? 0) - (b.from ?? 0)),
    ({ party }) => party,
  );
  for (const reading of readings) {
    const candidates = own.get(reading.supplier) ?? [];
    const found = candidates.find(({ until }) => until === undefined || reading.at <= until);
    const taker = found ?? candidates.at(-1);
    if (taker === undefined) strays.push(reading);
    else taker.readings.push(reading);
  }
  return strays;
}
