import type { ByteReader } from '@sefleet/bytes';
import { decodeAll, decodeError } from '../errors.ts';

/** A piece of a handshake message. RFC 6347 §4.2.2. */
export interface HandshakeFragment {
  readonly type: number;
  /** Length of the entire message. */
  readonly length: number;
  readonly messageSeq: number;
  readonly offset: number;
  readonly body: Uint8Array;
}

/** msg_type, length, message_seq, fragment_offset, fragment_length. */
export const HANDSHAKE_HEADER_LENGTH = 12;

/** All fragments of one handshake record; several messages may share a record. */
export function decodeHandshakeFragments(payload: Uint8Array): readonly HandshakeFragment[] {
  return decodeAll('handshake record', payload, (reader) => {
    const fragments: HandshakeFragment[] = [];
    do fragments.push(decodeFragment(reader));
    while (reader.remaining > 0);
    return fragments;
  });
}

/** The first fragment of a record, whatever follows. */
export function decodeFragment(reader: ByteReader): HandshakeFragment {
  const type = reader.u8();
  const length = reader.u24();
  const messageSeq = reader.u16();
  const offset = reader.u24();
  const fragmentLength = reader.u24();
  if (offset + fragmentLength > length) throw decodeError('a handshake fragment ends behind its message');
  return { type, length, messageSeq, offset, body: reader.bytes(fragmentLength) };
}

/** Writes the header of a fragment of `fragmentLength` bytes. */
export function encodeHandshakeHeader(
  out: Uint8Array,
  at: number,
  header: {
    readonly type: number;
    readonly length: number;
    readonly messageSeq: number;
    readonly offset: number;
    readonly fragmentLength: number;
  },
): void {
  out[at] = header.type;
  put24(out, at + 1, header.length);
  out[at + 4] = header.messageSeq >> 8;
  out[at + 5] = header.messageSeq & 0xff;
  put24(out, at + 6, header.offset);
  put24(out, at + 9, header.fragmentLength);
}

/** The message as the transcript hashes it: as if it had travelled in one fragment. RFC 6347 §4.2.6. */
export function encodeWholeMessage(type: number, messageSeq: number, body: Uint8Array): Uint8Array {
  const message = new Uint8Array(HANDSHAKE_HEADER_LENGTH + body.length);
  const length = body.length;
  encodeHandshakeHeader(message, 0, { type, length, messageSeq, offset: 0, fragmentLength: length });
  message.set(body, HANDSHAKE_HEADER_LENGTH);
  return message;
}

function put24(out: Uint8Array, at: number, value: number): void {
  out[at] = value >> 16;
  out[at + 1] = (value >> 8) & 0xff;
  out[at + 2] = value & 0xff;
}
