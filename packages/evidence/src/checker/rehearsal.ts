import type { EvidenceBundle } from '../evidence.ts';
import type { Invariant } from './invariant.ts';

/**
 * What a meter sealed, and what its register really said: the simulator's word, checked against the
 * suppliers'.
 */
export interface MeterTruth {
  readonly endpoint: string;
  readonly records: readonly Uint8Array[];
  readonly firstAt: number;
  readonly lastAt: number;
  /** What was counted until then. A register that rolled over shows less. */
  readonly firstRegisterWh: number;
  readonly lastRegisterWh: number;
  /** At this count a register begins at 0 again; without it, never. */
  readonly capacityWh?: number | undefined;
  /** Cut-over readings: for which instant, when by true time, and what the register said. */
  readonly cutOvers: readonly {
    readonly instant: number;
    readonly takenAt: number;
    readonly registerWh: number;
  }[];
  /** Digests of the exchanges that the card saw, in order, hexadecimal. */
  readonly exchanges: readonly string[];
}

/** What a supplier billed for a meter. */
export interface BillingLine {
  readonly supplier: string;
  readonly endpoint: string;
  readonly from: number;
  readonly until: number;
  readonly energyWh: number;
}

/** All that the checker looks at. */
export interface RehearsalRecord {
  readonly bundle: EvidenceBundle;
  /** Milliseconds between two readings. */
  readonly intervalMs: number;
  readonly truths: ReadonlyMap<string, MeterTruth>;
  readonly billing: readonly BillingLine[];
  /**
   * What the suppliers' own LwM2M servers took, by supplier and meter; undefined where they have none and
   * the simulator's word is all there is.
   */
  readonly received?: ReadonlyMap<string, ReadonlyMap<string, readonly Uint8Array[]>> | undefined;
  /** Record master keys, by `supplier:version`. */
  readonly recordKeys: ReadonlyMap<string, Uint8Array>;
  readonly receiptKeys: ReadonlyMap<string, Uint8Array>;
  /** Places where a planted secret was found outside of its owner's vault. */
  readonly canaryHits: readonly string[];
  /** Faults that were played, by meter; without them nothing is said about faults. */
  readonly faults?: ReadonlyMap<string, readonly string[]>;
}

/** What became of the meters that one fault was played on. */
export interface FaultCount {
  readonly fault: string;
  /** Meters that it was played on. */
  readonly played: number;
  /** Confirmed in spite of it. */
  readonly survived: number;
  readonly rolledBack: number;
  /** Ended as an exception, whatever the reason. */
  readonly exceptions: number;
  /**
   * Of the exceptions: those whose reason is this fault. Another fault can have come first. Null for a fault
   * that a meter is to survive.
   */
  readonly detected: number | null;
}

/** Energy that was billed by nobody, or more than once, between two readings of a meter. */
export interface Misbilling {
  readonly endpoint: string;
  readonly from: number;
  readonly until: number;
  readonly energyWh: number;
  /** How often it was billed. */
  readonly times: number;
}

/** The change of supplier as a meter's records show it. */
export interface SupplierChange {
  readonly from: string;
  readonly to: string;
  /** Instant of the last reading for the old supplier, and of the first one for the new. */
  readonly lastAt: number;
  readonly firstAt: number;
  /** Sequence number of the last record for the old supplier: the new one takes none up to it. */
  readonly replayFloor: number;
}

/** The energy of one meter, by register and by bill. */
export interface MeterAccount {
  readonly endpoint: string;
  /** What the register grew by over the whole rehearsal. */
  readonly growthWh: number;
  readonly billedWh: Readonly<Record<string, number>>;
  readonly gapWh: number;
  readonly overlapWh: number;
  /** Growth less bills. */
  readonly residualWh: number;
  /** What the register grew by after the last instant. */
  readonly afterInstantWh: number;
  readonly changes: readonly SupplierChange[];
}

/** The readings of all meters for the end of one interval. */
export interface IntervalCount {
  readonly at: number;
  /** Meters that had to have one. */
  readonly expected: number;
  /** Meters that had one. */
  readonly received: number;
  /** Readings by supplier; at an instant of a switch one meter has two. */
  readonly bySupplier: Readonly<Record<string, number>>;
}

/** What the checker found. */
export interface Verdict {
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
  readonly invariants: readonly Invariant[];
  readonly faults: readonly FaultCount[];
  readonly accounts: readonly MeterAccount[];
  readonly misbillings: readonly Misbilling[];
  readonly intervals: readonly IntervalCount[];
}
