import { ByteReader } from '@sefleet/bytes';
import type { Peer, Runtime } from '@sefleet/runtime';
import { decodeFragment, encodeWholeMessage, type HandshakeFragment } from '../codec/handshake-fragment.ts';
import { decodeClientHelloStart, encodeHelloVerifyRequest } from '../codec/hello.ts';
import { encodeRecordHeader, RECORD_HEADER_LENGTH, type WireRecord } from '../codec/record.ts';
import { ContentType, HandshakeType } from '../constants.ts';
import { CookieJar } from './cookie.ts';

/** What a server makes of a record that may open a handshake. */
export type Knock =
  /** A ClientHello with a right cookie: the client is where it says. */
  | { readonly kind: 'verified'; readonly messageSeq: number; readonly clientRandom: Uint8Array }
  /** The answer to a ClientHello without one; nothing was remembered. */
  | { readonly kind: 'answer'; readonly datagram: Uint8Array }
  /** No start of a ClientHello: belongs to a handshake under way, or to nobody. */
  | { readonly kind: 'other' };

const OTHER = { kind: 'other' } as const;

/**
 * Looks at the first bytes of handshakes and keeps no state, so that spoofed floods cost none. RFC 6347
 * §4.2.1.
 */
export class ClientHelloDoor {
  readonly #cookies: CookieJar;

  constructor(runtime: Runtime) {
    this.#cookies = new CookieJar(runtime);
  }

  knock(record: WireRecord, from: Peer): Knock {
    const fragment = firstFragment(record.payload);
    if (fragment?.type !== HandshakeType.client_hello || fragment.offset !== 0) return OTHER;
    // A first fragment is enough when it reaches behind the cookie: the rest is reassembled once the cookie
    // was right.
    const start = decodeClientHelloStart(fragment.body);
    if (start === undefined) return OTHER;
    if (this.#cookies.accepts(from, start)) {
      return { kind: 'verified', messageSeq: fragment.messageSeq, clientRandom: start.random };
    }
    const cookie = this.#cookies.bake(from, start);
    return { kind: 'answer', datagram: helloVerifyRequest(cookie, fragment.messageSeq, record.sequence) };
  }
}

/**
 * RFC 6347 §4.2.1: under the record sequence number of the ClientHello, so that repeated answers number
 * nothing twice.
 */
function helloVerifyRequest(cookie: Uint8Array, messageSeq: number, sequence: number): Uint8Array {
  const body = encodeHelloVerifyRequest(cookie);
  const message = encodeWholeMessage(HandshakeType.hello_verify_request, messageSeq, body);
  const datagram = new Uint8Array(RECORD_HEADER_LENGTH + message.length);
  const header = { type: ContentType.handshake, epoch: 0, sequence, length: message.length };
  datagram.set(message, encodeRecordHeader(datagram, 0, header));
  return datagram;
}

function firstFragment(payload: Uint8Array): HandshakeFragment | undefined {
  try {
    return decodeFragment(new ByteReader(payload));
  } catch {
    return undefined;
  }
}
