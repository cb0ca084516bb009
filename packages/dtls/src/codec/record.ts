import { ContentType, DTLS_1_2, DTLS_MAJOR, SEQUENCE_NUMBER_MAX } from '../constants.ts';

/** One record as it came: header fields and the payload as a view. */
export interface WireRecord {
  readonly type: number;
  readonly epoch: number;
  readonly sequence: number;
  /** Set on `tls12_cid` records only. */
  readonly cid: Uint8Array | undefined;
  readonly payload: Uint8Array;
  /** Where the next record of the datagram starts. */
  readonly end: number;
}

/** type, version, epoch, sequence number, length. RFC 6347 §4.1. */
export const RECORD_HEADER_LENGTH = 13;

/**
 * Reads the record at `offset` of a datagram; undefined when it is none, and then the rest of the datagram is
 * not to be trusted either (RFC 6347 §4.1.2.7: dropped silently).
 *
 * @param cidLength length of the connection IDs that this endpoint gives out; a record does not say it (RFC
 * 9146 §4)
 */
export function decodeRecord(data: Uint8Array, offset: number, cidLength: number): WireRecord | undefined {
  const type = data[offset] ?? 0;
  const withCid = type === ContentType.tls12_cid;
  const headerLength = RECORD_HEADER_LENGTH + (withCid ? cidLength : 0);
  const start = offset + headerLength;
  if (start > data.length || (withCid && cidLength === 0)) return undefined;
  const version = word(data, offset + 1);
  const epoch = word(data, offset + 3);
  // A ClientHello is taken under any {254, XX} (RFC 6347 §4.2.1, RFC 5246 appendix E.1): Mbed TLS writes
  // 254.0 when its lowest version is left open. Nothing protected comes under another version.
  if (version !== DTLS_1_2 && !(version >> 8 === DTLS_MAJOR && epoch === 0)) return undefined;
  if (!withCid && !isKnownType(type, epoch)) return undefined;
  const sequence =
    word(data, offset + 5) * 0x1_0000_0000 + word(data, offset + 7) * 0x1_0000 + word(data, offset + 9);
  const end = start + word(data, start - 2);
  if (end > data.length) return undefined;
  const cid = withCid ? data.subarray(offset + 11, offset + 11 + cidLength) : undefined;
  return { type, epoch, sequence, cid, payload: data.subarray(start, end), end };
}

function isKnownType(type: number, epoch: number): boolean {
  if (type === ContentType.return_routability_check) return epoch > 0;
  return type >= ContentType.change_cipher_spec && type <= ContentType.application_data;
}

/** Writes a record header at `at` of `out` and returns where the payload starts. */
export function encodeRecordHeader(
  out: Uint8Array,
  at: number,
  header: {
    readonly type: number;
    readonly epoch: number;
    readonly sequence: number;
    readonly cid?: Uint8Array | undefined;
    readonly length: number;
  },
): number {
  out[at] = header.type;
  putWord(out, at + 1, DTLS_1_2);
  putEpochAndSequence(out, at + 3, header.epoch, header.sequence);
  let next = at + 11;
  if (header.cid !== undefined) {
    out.set(header.cid, next);
    next += header.cid.length;
  }
  putWord(out, next, header.length);
  return next + 2;
}

/** The eight bytes that number a record across epochs: in headers, nonces and additional data. */
export function putEpochAndSequence(out: Uint8Array, at: number, epoch: number, sequence: number): void {
  if (sequence > SEQUENCE_NUMBER_MAX) throw new RangeError('record sequence numbers are exhausted');
  putWord(out, at, epoch);
  putWord(out, at + 2, Math.floor(sequence / 0x1_0000_0000));
  putWord(out, at + 4, Math.floor(sequence / 0x1_0000) & 0xffff);
  putWord(out, at + 6, sequence & 0xffff);
}

function word(data: Uint8Array, at: number): number {
  return ((data[at] ?? 0) << 8) | (data[at + 1] ?? 0);
}

export function putWord(out: Uint8Array, at: number, value: number): void {
  out[at] = value >> 8;
  out[at + 1] = value & 0xff;
}
