import { concatBytes } from '@sefleet/bytes';
import type { CipherSuite } from '../cipher-suites.ts';
import type { WireRecord } from '../codec/record.ts';
import { SEQUENCE_NUMBER_MAX } from '../constants.ts';
import { KEY_BLOCK_LENGTH } from '../crypto/key-schedule.ts';
import {
  openRecord,
  recordOverhead,
  sealRecord,
  type PlainRecord,
  type RecordKeys,
} from '../crypto/record-protection.ts';
import type { RecordCipher } from '../crypto/record-cipher.ts';
import { ReplayWindow } from './replay-window.ts';

/** The one epoch with keys: renegotiation is refused, so no second one follows. */
export const SECURE_EPOCH = 1;

/** What became of a record that should open. */
export type Opened =
  | { readonly fate: 'opened'; readonly record: PlainRecord; readonly newest: boolean }
  | { readonly fate: 'replayed' | 'forged' };

const REPLAYED = { fate: 'replayed' } as const;
const FORGED = { fate: 'forged' } as const;

/**
 * Keys, counters and connection IDs of one session's protected records, in both directions. All bytes share
 * one array: a server holds many of these, and an array costs more than what is in it.
 */
export class SecureRecords implements RecordKeys {
  readonly suite: CipherSuite;
  readonly role: 'client' | 'server';
  readonly cipher: RecordCipher;
  /** The key block with the sent and the received connection ID behind it. */
  readonly #bytes: Uint8Array;
  readonly #sendCidLength: number;
  writeSequence = 0;
  window = new ReplayWindow();

  constructor(
    keys: RecordKeys,
    cids: { readonly send?: Uint8Array | undefined; readonly receive?: Uint8Array | undefined },
  ) {
    this.suite = keys.suite;
    this.role = keys.role;
    this.cipher = keys.cipher;
    this.#bytes = concatBytes(keys.keyBlock, cids.send ?? NO_BYTES, cids.receive ?? NO_BYTES);
    this.#sendCidLength = cids.send?.length ?? 0;
  }

  /** Longer than `KEY_BLOCK_LENGTH`; what reads keys from it knows where they are. */
  get keyBlock(): Uint8Array {
    return this.#bytes;
  }

  /**
   * On records that we send. An empty one was negotiated to mean none (RFC 9146 §3) and is undefined here.
   */
  get sendCid(): Uint8Array | undefined {
    if (this.#sendCidLength === 0) return undefined;
    return this.#bytes.subarray(KEY_BLOCK_LENGTH, KEY_BLOCK_LENGTH + this.#sendCidLength);
  }

  /** On records that we receive; undefined as above. */
  get receiveCid(): Uint8Array | undefined {
    return this.#hasReceiveCid ? this.#bytes.subarray(KEY_BLOCK_LENGTH + this.#sendCidLength) : undefined;
  }

  get #hasReceiveCid(): boolean {
    return this.#bytes.length > KEY_BLOCK_LENGTH + this.#sendCidLength;
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
    if ((record.cid !== undefined) !== this.#hasReceiveCid) return FORGED;
    if (!this.window.accepts(record.sequence)) return REPLAYED;
    const plain = openRecord(record, this);
    if (plain === undefined) return FORGED;
    return { fate: 'opened', record: plain, newest: this.window.note(record.sequence) };
  }
}

const NO_BYTES = new Uint8Array(0);
