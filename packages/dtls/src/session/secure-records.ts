import type { CipherSuite } from '../cipher-suites.ts';
import type { WireRecord } from '../codec/record.ts';
import { SEQUENCE_NUMBER_MAX } from '../constants.ts';
import {
  openRecord,
  recordOverhead,
  sealRecord,
  type PlainRecord,
  type RecordKeys,
} from '../crypto/record-protection.ts';
import { ReplayWindow } from './replay-window.ts';

/** The one epoch with keys: renegotiation is refused, so no second one follows. */
export const SECURE_EPOCH = 1;

/** What became of a record that should open. */
export type Opened =
  | { readonly fate: 'opened'; readonly record: PlainRecord; readonly newest: boolean }
  | { readonly fate: 'replayed' | 'forged' };

const REPLAYED = { fate: 'replayed' } as const;
const FORGED = { fate: 'forged' } as const;

/** Keys, counters and connection IDs of one session's protected records, in both directions. */
export class SecureRecords implements RecordKeys {
  readonly suite: CipherSuite;
  readonly keyBlock: Uint8Array;
  readonly role: 'client' | 'server';
  /** On records that we send. An empty one was negotiated to mean none (RFC 9146 §3) and is undefined here. */
  readonly sendCid: Uint8Array | undefined;
  /** On records that we receive; undefined as above. */
  readonly receiveCid: Uint8Array | undefined;
  writeSequence = 0;
  window = new ReplayWindow();

  constructor(
    keys: RecordKeys,
    cids: { readonly send?: Uint8Array | undefined; readonly receive?: Uint8Array | undefined },
  ) {
    this.suite = keys.suite;
    this.keyBlock = keys.keyBlock;
    this.role = keys.role;
    this.sendCid = cids.send;
    this.receiveCid = cids.receive;
  }

  /** Bytes around the content of each record that we send. */
  get overhead(): number {
    return recordOverhead(this.suite, this.sendCid);
  }

  /** False once the sequence numbers of RFC 6347 §4.1 are used up: nothing can be sent any more. */
  get canSend(): boolean {
    return this.writeSequence <= SEQUENCE_NUMBER_MAX;
  }

  /** Writes the next record at `at` of `out` and returns where it ends. */
  seal(out: Uint8Array, at: number, type: number, content: Uint8Array): number {
    const sequence = this.writeSequence++;
    return sealRecord(out, at, this, { type, epoch: SECURE_EPOCH, sequence, cid: this.sendCid, content });
  }

  open(record: WireRecord): Opened {
    // RFC 9146 §4: once negotiated, every protected record carries its connection ID, and none otherwise.
    if ((record.cid === undefined) !== (this.receiveCid === undefined)) return FORGED;
    if (!this.window.accepts(record.sequence)) return REPLAYED;
    const plain = openRecord(record, this);
    if (plain === undefined) return FORGED;
    return { fate: 'opened', record: plain, newest: this.window.note(record.sequence) };
  }
}
