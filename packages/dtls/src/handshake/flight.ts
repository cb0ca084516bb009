import { encodeRecordHeader, RECORD_HEADER_LENGTH } from '../codec/record.ts';
import {
  encodeHandshakeHeader,
  encodeWholeMessage,
  HANDSHAKE_HEADER_LENGTH,
} from '../codec/handshake-fragment.ts';
import { ContentType } from '../constants.ts';
import type { SecureRecords } from '../session/secure-records.ts';

/** One thing that a flight sends. */
export type FlightItem =
  | {
      readonly kind: 'message';
      readonly type: number;
      readonly messageSeq: number;
      readonly body: Uint8Array;
    }
  | { readonly kind: 'changeCipherSpec' };

/** A fragment smaller than this is not worth a record of its own at the end of a datagram. */
const FRAGMENT_MIN = 32;

/**
 * Our half of a handshake on the wire: numbers messages and records, cuts flights to the MTU. The same flight
 * can be sent again and again; only its record sequence numbers are new (RFC 6347 §4.2.4).
 */
export class FlightWriter {
  #messageSeq: number;
  #plainSequence: number;
  #flight: FlightItem[] = [];
  /** Set when keys are there; what follows ChangeCipherSpec is sealed with them. */
  records: SecureRecords | undefined;

  constructor(messageSeq: number, recordSequence: number) {
    this.#messageSeq = messageSeq;
    this.#plainSequence = recordSequence;
  }

  /** Forgets the last flight; what is added from now on is a new one. */
  begin(): void {
    this.#flight = [];
  }

  /** Adds a message and returns it as the transcript wants it. */
  add(type: number, body: Uint8Array): Uint8Array {
    const messageSeq = this.#messageSeq++;
    this.#flight.push({ kind: 'message', type, messageSeq, body });
    return encodeWholeMessage(type, messageSeq, body);
  }

  addChangeCipherSpec(): void {
    this.#flight.push({ kind: 'changeCipherSpec' });
  }

  /** The flight as datagrams of at most `mtu` bytes. */
  *datagrams(mtu: number): Generator<Uint8Array> {
    // Most flights are one small datagram: no need to clear an MTU's worth of memory for it.
    const size = Math.min(mtu, this.#sizeInOne());
    let out = new Uint8Array(size);
    let used = 0;
    let secure = false;
    for (const item of this.#flight) {
      const overhead = secure ? (this.records?.overhead ?? 0) : RECORD_HEADER_LENGTH;
      if (item.kind === 'changeCipherSpec') {
        if (used + overhead + 1 > size) {
          yield out.subarray(0, used);
          [out, used] = [new Uint8Array(size), 0];
        }
        used = this.#write(out, used, false, ContentType.change_cipher_spec, CHANGE_CIPHER_SPEC_BODY);
        secure = true;
        continue;
      }
      let offset = 0;
      do {
        const left = item.body.length - offset;
        const room = size - used - overhead - HANDSHAKE_HEADER_LENGTH;
        if (used > 0 && room < Math.min(left, FRAGMENT_MIN)) {
          yield out.subarray(0, used);
          [out, used] = [new Uint8Array(size), 0];
          continue;
        }
        const take = Math.min(left, room);
        used = this.#write(out, used, secure, ContentType.handshake, fragmentOf(item, offset, take));
        offset += take;
      } while (offset < item.body.length || used === 0);
    }
    if (used > 0) yield out.subarray(0, used);
  }

  /** One alert record in the protection that our last flight reached. */
  alert(level: number, description: number): Uint8Array {
    const secure = this.#flight.some((item) => item.kind === 'changeCipherSpec');
    const out = new Uint8Array(ALERT_ROOM);
    return out.subarray(0, this.#write(out, 0, secure, ContentType.alert, Uint8Array.of(level, description)));
  }

  /** Bytes of the flight when nothing is cut. */
  #sizeInOne(): number {
    const overhead = Math.max(RECORD_HEADER_LENGTH, this.records?.overhead ?? 0) + HANDSHAKE_HEADER_LENGTH;
    return this.#flight.reduce(
      (sum, item) => sum + overhead + (item.kind === 'message' ? item.body.length : 1),
      0,
    );
  }

  #write(out: Uint8Array, at: number, secure: boolean, type: number, content: Uint8Array): number {
    if (secure && this.records !== undefined) return this.records.seal(out, at, type, content);
    const sequence = this.#plainSequence++;
    const start = encodeRecordHeader(out, at, { type, epoch: 0, sequence, length: content.length });
    out.set(content, start);
    return start + content.length;
  }
}

const CHANGE_CIPHER_SPEC_BODY = Uint8Array.of(1);
/** Header with the longest connection ID, explicit nonce, two bytes, tag. */
const ALERT_ROOM = 512;

function fragmentOf(
  item: { readonly type: number; readonly messageSeq: number; readonly body: Uint8Array },
  offset: number,
  fragmentLength: number,
): Uint8Array {
  const fragment = new Uint8Array(HANDSHAKE_HEADER_LENGTH + fragmentLength);
  const { type, messageSeq, body } = item;
  encodeHandshakeHeader(fragment, 0, { type, length: body.length, messageSeq, offset, fragmentLength });
  fragment.set(body.subarray(offset, offset + fragmentLength), HANDSHAKE_HEADER_LENGTH);
  return fragment;
}
