import { concatBytes } from '@sefleet/bytes';

/** Record and message types of TLS (RFC 5246 §6.2.1, §7.4), and the extension of RFC 8446 §4.2.11. */
const RECORD_HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const CLIENT_KEY_EXCHANGE = 16;
const EXTENSION_PRE_SHARED_KEY = 41;

const RECORD_HEADER_BYTES = 5;
const MESSAGE_HEADER_BYTES = 4;
/** What a client says in clear is a few hundred bytes, a certificate chain a few thousand. */
const CLEAR_BYTES_MAX = 65_536;
/** A client that has one account needs one; more would be look-ups for nothing. */
const IDENTITIES_MAX = 4;

/**
 * Follows what a TLS client sends in clear at the start of a connection and tells the pre-shared key
 * identities in it: in the ClientHello of TLS 1.3, in the ClientKeyExchange of TLS 1.2 (RFC 4279 §2). What
 * does not parse tells none: the TLS stack judges it.
 */
export class PskIdentityReader {
  #records: Uint8Array = new Uint8Array(0);
  #messages: Uint8Array = new Uint8Array(0);
  #bytes = 0;
  #done = false;

  /** True once no identity can follow. */
  get done(): boolean {
    return this.#done;
  }

  /** Takes the next bytes, cut anywhere. @returns identities that they complete */
  feed(data: Uint8Array): readonly string[] {
    this.#bytes += data.length;
    if (this.#bytes > CLEAR_BYTES_MAX) this.#finish();
    if (this.#done) return [];
    this.#records = concatBytes(this.#records, data);
    this.#readRecords();
    return this.#readMessages();
  }

  #readRecords(): void {
    while (this.#records.length >= RECORD_HEADER_BYTES) {
      const view = viewOf(this.#records);
      const end = RECORD_HEADER_BYTES + view.getUint16(3);
      // ChangeCipherSpec, an alert or data: from here on nothing is in clear.
      if (view.getUint8(0) !== RECORD_HANDSHAKE) this.#done = true;
      if (this.#done || this.#records.length < end) return;
      this.#messages = concatBytes(this.#messages, this.#records.subarray(RECORD_HEADER_BYTES, end));
      this.#records = this.#records.slice(end);
    }
  }

  #readMessages(): readonly string[] {
    const found: string[] = [];
    while (this.#messages.length >= MESSAGE_HEADER_BYTES) {
      const header = viewOf(this.#messages).getUint32(0);
      const end = MESSAGE_HEADER_BYTES + (header & 0xff_ffff);
      if (this.#messages.length < end) break;
      found.push(...identitiesIn(header >>> 24, this.#messages.subarray(MESSAGE_HEADER_BYTES, end)));
      this.#messages = this.#messages.slice(end);
    }
    if (this.#done) this.#finish();
    return found.slice(0, IDENTITIES_MAX);
  }

  #finish(): void {
    this.#done = true;
    this.#records = new Uint8Array(0);
    this.#messages = new Uint8Array(0);
  }
}

function identitiesIn(type: number, body: Uint8Array): readonly string[] {
  try {
    if (type === CLIENT_KEY_EXCHANGE) return [clientKeyExchangeIdentity(body)].filter((name) => name !== '');
    return type === CLIENT_HELLO ? helloIdentities(body) : [];
  } catch (error) {
    if (error instanceof RangeError) return [];
    throw error;
  }
}

/** RFC 4279 §2, and §2 of RFC 5489 with a key share behind the identity. Other key exchanges do not fit. */
function clientKeyExchangeIdentity(body: Uint8Array): string {
  const view = viewOf(body);
  const length = view.getUint16(0);
  const rest = body.length - 2 - length;
  const isWhole = rest === 0 || (rest > 0 && view.getUint8(2 + length) === rest - 1);
  return isWhole ? textOf(body.subarray(2, 2 + length)) : '';
}

/** RFC 8446 §4.1.2, §4.2.11. */
function helloIdentities(body: Uint8Array): readonly string[] {
  const view = viewOf(body);
  let place = 2 + 32;
  place += 1 + view.getUint8(place);
  place += 2 + view.getUint16(place);
  place += 1 + view.getUint8(place);
  place += 2;
  while (place < body.length) {
    const type = view.getUint16(place);
    const length = view.getUint16(place + 2);
    place += 4;
    if (type === EXTENSION_PRE_SHARED_KEY) return offeredIdentities(body.subarray(place, place + length));
    place += length;
  }
  return [];
}

function offeredIdentities(extension: Uint8Array): readonly string[] {
  const view = viewOf(extension);
  const end = 2 + view.getUint16(0);
  const found: string[] = [];
  let place = 2;
  while (place < end && found.length < IDENTITIES_MAX) {
    const length = view.getUint16(place);
    found.push(textOf(extension.subarray(place + 2, place + 2 + length)));
    // The age of a ticket follows each.
    place += 2 + length + 4;
  }
  return found;
}

function viewOf(data: Uint8Array): DataView {
  return new DataView(data.buffer, data.byteOffset, data.byteLength);
}

function textOf(data: Uint8Array): string {
  return new TextDecoder().decode(data);
}
