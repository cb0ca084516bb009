import type { CipherSuite } from '../cipher-suites.ts';
import {
  encodeRecordHeader,
  putEpochAndSequence,
  putWord,
  RECORD_HEADER_LENGTH,
  type WireRecord,
} from '../codec/record.ts';
import { ContentType, DTLS_1_2 } from '../constants.ts';
import type { RecordCipher } from './record-cipher.ts';

/** The explicit half of the nonce travels in front of the ciphertext. RFC 6655 §3, RFC 5288 §3. */
const EXPLICIT_NONCE_LENGTH = 8;
const KEY_LENGTH = 16;
const SALT_LENGTH = 4;
const CID_LENGTH_MAX = 255;

/**
 * The keys of a session: what {@link sealRecord} and {@link openRecord} need, and little enough to hold by
 * the thousand.
 */
export interface RecordKeys {
  readonly suite: CipherSuite;
  /** See `deriveKeyBlock`. */
  readonly keyBlock: Uint8Array;
  readonly role: 'client' | 'server';
  readonly cipher: RecordCipher;
}

/** An opened record. */
export interface PlainRecord {
  readonly type: number;
  readonly content: Uint8Array;
}

/** Bytes that protection adds to a record's content. */
export function recordOverhead(suite: CipherSuite, cid: Uint8Array | undefined): number {
  // RFC 9146 §4: the real content type moves behind the content.
  const cidLength = cid === undefined ? 0 : cid.length + 1;
  return RECORD_HEADER_LENGTH + EXPLICIT_NONCE_LENGTH + suite.tagLength + cidLength;
}

/**
 * Writes a protected record at `at` of `out`, which has to have room for it, and returns where it ends.
 *
 * @param record.cid the connection ID to put on it, if one was negotiated for this direction
 */
export function sealRecord(
  out: Uint8Array,
  at: number,
  keys: RecordKeys,
  record: {
    readonly type: number;
    readonly epoch: number;
    readonly sequence: number;
    readonly cid?: Uint8Array | undefined;
    readonly content: Uint8Array;
  },
): number {
  const { suite } = keys;
  const { type, epoch, sequence, cid, content } = record;
  const plaintextLength = content.length + (cid === undefined ? 0 : 1);
  const length = EXPLICIT_NONCE_LENGTH + plaintextLength + suite.tagLength;
  const outerType = cid === undefined ? type : ContentType.tls12_cid;
  const next = encodeRecordHeader(out, at, { type: outerType, epoch, sequence, cid, length });
  putEpochAndSequence(out, next, epoch, sequence);
  // RFC 5246 §6.2.3.3 wants a nonce that never repeats under a key: epoch and sequence number (RFC 6655 §3)
  // never do.
  setNonce(keys, keys.role, out, next);
  keys.cipher.seal(
    {
      suite,
      key: keyOf(keys, keys.role),
      nonce,
      additionalData: additionalData(outerType, epoch, sequence, cid, plaintextLength),
      data: cid === undefined ? content : innerPlaintext(content, type),
    },
    out,
    next + EXPLICIT_NONCE_LENGTH,
  );
  return next + length;
}

/** The content of a protected record, or undefined when its tag is wrong or it is too short to be one. */
export function openRecord(record: WireRecord, keys: RecordKeys): PlainRecord | undefined {
  const { suite } = keys;
  const { payload, cid } = record;
  const plaintextLength = payload.length - EXPLICIT_NONCE_LENGTH - suite.tagLength;
  if (plaintextLength < (cid === undefined ? 0 : 1)) return undefined;
  const peer = keys.role === 'client' ? 'server' : 'client';
  setNonce(keys, peer, payload, 0);
  const content = keys.cipher.open({
    suite,
    key: keyOf(keys, peer),
    nonce,
    additionalData: additionalData(record.type, record.epoch, record.sequence, cid, plaintextLength),
    data: payload.subarray(EXPLICIT_NONCE_LENGTH),
  });
  if (content === undefined) return undefined;
  return cid === undefined ? { type: record.type, content } : outerToInner(content);
}

/** RFC 9146 §4: content, real type, any number of zeros. All zeros is no record. */
function outerToInner(inner: Uint8Array): PlainRecord | undefined {
  let end = inner.length - 1;
  while (end >= 0 && inner[end] === 0) end--;
  const type = inner[end];
  return type === undefined ? undefined : { type, content: inner.subarray(0, end) };
}

function innerPlaintext(content: Uint8Array, type: number): Uint8Array {
  const inner = new Uint8Array(content.length + 1);
  inner.set(content);
  inner[content.length] = type;
  return inner;
}

function keyOf(keys: RecordKeys, sender: 'client' | 'server'): Uint8Array {
  const at = sender === 'client' ? 0 : KEY_LENGTH;
  return keys.keyBlock.subarray(at, at + KEY_LENGTH);
}

// One nonce and one buffer for additional data serve all records: both are read before the next call.
const nonce = new Uint8Array(SALT_LENGTH + EXPLICIT_NONCE_LENGTH);
const plainAad = new Uint8Array(13);
const cidAad = new Uint8Array(23 + CID_LENGTH_MAX);

function setNonce(keys: RecordKeys, sender: 'client' | 'server', explicit: Uint8Array, at: number): void {
  const salt = 2 * KEY_LENGTH + (sender === 'client' ? 0 : SALT_LENGTH);
  for (let i = 0; i < SALT_LENGTH; i++) nonce[i] = keys.keyBlock[salt + i] ?? 0;
  for (let i = 0; i < EXPLICIT_NONCE_LENGTH; i++) nonce[SALT_LENGTH + i] = explicit[at + i] ?? 0;
}

/**
 * RFC 5246 §6.2.3.3 with the 64-bit number of RFC 6347 §4.1.2.1, or RFC 9146 §5.3 for records with a
 * connection ID.
 */
function additionalData(
  type: number,
  epoch: number,
  sequence: number,
  cid: Uint8Array | undefined,
  length: number,
): Uint8Array {
  if (cid === undefined) {
    putEpochAndSequence(plainAad, 0, epoch, sequence);
    plainAad[8] = type;
    putWord(plainAad, 9, DTLS_1_2);
    putWord(plainAad, 11, length);
    return plainAad;
  }
  cidAad.fill(0xff, 0, 8);
  cidAad[8] = ContentType.tls12_cid;
  cidAad[9] = cid.length;
  cidAad[10] = ContentType.tls12_cid;
  putWord(cidAad, 11, DTLS_1_2);
  putEpochAndSequence(cidAad, 13, epoch, sequence);
  cidAad.set(cid, 21);
  putWord(cidAad, 21 + cid.length, length);
  return cidAad.subarray(0, 23 + cid.length);
}
