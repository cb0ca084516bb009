import type { RecordTopicKind } from '@sefleet/cose';

/** A message with sealed records, until it is acknowledged. */
export interface RecordMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
}

/** Where messages come from. It keeps what is not acknowledged and gives it again after a restart. */
export interface RecordSource {
  /**
   * The next messages, at most `limit`, as soon as there is one; none when `waitMs` milliseconds have passed
   * without. What was given is not given again while this process lives.
   */
  read(limit: number, waitMs: number): Promise<readonly RecordMessage[]>;
  /** The messages need not be kept any longer. */
  acknowledge(messages: readonly RecordMessage[]): Promise<void>;
  close(): Promise<void>;
}

/** A record as it is stored: exactly one row. */
export interface StoredRecord {
  readonly stakeholder: string;
  readonly keyVersion: number;
  readonly kind: RecordTopicKind;
  readonly endpoint: string;
  readonly sequence: number;
  readonly timestampMs: number;
  readonly metrics: readonly string[];
  readonly values: readonly number[];
}

/** Why a record was not stored. */
export type RejectReason =
  | 'topic'
  | 'batch'
  | 'malformed'
  | 'unknownKey'
  | 'authentication'
  | 'timestamp'
  | 'sequenceTooSparse';

/** What could not be stored, kept for whoever wants to know why. */
export interface DeadLetter {
  readonly topic: string;
  readonly reason: RejectReason;
  readonly payload: Uint8Array;
}

/** Sequence numbers stored of one device under one stakeholder, without gaps. */
export interface StoredRange {
  readonly stakeholder: string;
  readonly endpoint: string;
  readonly first: number;
  readonly last: number;
}

/** Where records go. */
export interface RecordStore {
  /**
   * Inserts; resolves when they will survive a crash. The same `token` again is the same insert, done once.
   */
  insert(records: readonly StoredRecord[], token: string): Promise<void>;
  insertDeadLetters(letters: readonly DeadLetter[], token: string): Promise<void>;
  /** Everything stored so far, for recognising duplicates. */
  storedRanges(): AsyncIterable<StoredRange>;
}

/** A stakeholder's record master keys. */
export interface RecordKeySource {
  /** Keys made after `newerThanMs`, or all of them. */
  fetch(newerThanMs: number | undefined): Promise<readonly MasterKey[]>;
}

export interface MasterKey {
  readonly stakeholder: string;
  readonly keyVersion: number;
  readonly masterKey: Uint8Array;
  readonly createdAtMs: number;
}
