import { ByteReader, ByteWriter } from '@sefleet/bytes';
import { COOKIE_LENGTH_MAX, DTLS_1_0, RANDOM_LENGTH, SESSION_ID_LENGTH_MAX } from '../constants.ts';
import { decodeAll, decodeError } from '../errors.ts';

/** Extensions by type, undecoded. A type appears once (RFC 5246 §7.4.1.4). */
export type RawExtensions = ReadonlyMap<number, Uint8Array>;

/** RFC 6347 §4.3.2. */
export interface ClientHello {
  readonly version: number;
  readonly random: Uint8Array;
  readonly sessionId: Uint8Array;
  readonly cookie: Uint8Array;
  readonly cipherSuites: readonly number[];
  readonly compressionMethods: Uint8Array;
  readonly extensions: RawExtensions;
}

/**
 * What a server looks at before it believes that the client is where it says: the fields up to the cookie.
 */
export type ClientHelloStart = Pick<ClientHello, 'version' | 'random' | 'sessionId' | 'cookie'>;

/** RFC 5246 §7.4.1.3. */
export interface ServerHello {
  readonly version: number;
  readonly random: Uint8Array;
  readonly sessionId: Uint8Array;
  readonly cipherSuite: number;
  readonly compressionMethod: number;
  readonly extensions: RawExtensions;
}

/** RFC 6347 §4.2.1. */
export interface HelloVerifyRequest {
  readonly version: number;
  readonly cookie: Uint8Array;
}

export function decodeClientHello(body: Uint8Array): ClientHello {
  return decodeAll('ClientHello', body, (reader) => {
    const start = readStart(reader);
    const suites = reader.sub(reader.u16());
    const cipherSuites: number[] = [];
    while (suites.remaining > 0) cipherSuites.push(suites.u16());
    if (cipherSuites.length === 0) throw decodeError('ClientHello: no cipher suites');
    const compressionMethods = reader.bytes(reader.u8());
    if (compressionMethods.length === 0) throw decodeError('ClientHello: no compression methods');
    return { ...start, cipherSuites, compressionMethods, extensions: readExtensions(reader) };
  });
}

/**
 * The fields that a stateless server needs, from a first fragment that may be cut anywhere behind them;
 * undefined when it is cut before.
 */
export function decodeClientHelloStart(fragment: Uint8Array): ClientHelloStart | undefined {
  try {
    return readStart(new ByteReader(fragment));
  } catch {
    return undefined;
  }
}

export function encodeClientHello(hello: ClientHello): Uint8Array {
  const writer = new ByteWriter(256);
  writer.u16(hello.version).bytes(hello.random);
  writer.lengthPrefixed(1, (w) => w.bytes(hello.sessionId));
  writer.lengthPrefixed(1, (w) => w.bytes(hello.cookie));
  writer.lengthPrefixed(2, (w) => {
    for (const id of hello.cipherSuites) w.u16(id);
  });
  writer.lengthPrefixed(1, (w) => w.bytes(hello.compressionMethods));
  writeExtensions(writer, hello.extensions);
  return writer.finish();
}

export function decodeServerHello(body: Uint8Array): ServerHello {
  return decodeAll('ServerHello', body, (reader) => ({
    version: reader.u16(),
    random: reader.bytes(RANDOM_LENGTH),
    sessionId: readSessionId(reader),
    cipherSuite: reader.u16(),
    compressionMethod: reader.u8(),
    extensions: readExtensions(reader),
  }));
}

export function encodeServerHello(hello: ServerHello): Uint8Array {
  const writer = new ByteWriter(128);
  writer.u16(hello.version).bytes(hello.random);
  writer.lengthPrefixed(1, (w) => w.bytes(hello.sessionId));
  writer.u16(hello.cipherSuite).u8(hello.compressionMethod);
  writeExtensions(writer, hello.extensions);
  return writer.finish();
}

export function decodeHelloVerifyRequest(body: Uint8Array): HelloVerifyRequest {
  return decodeAll('HelloVerifyRequest', body, (reader) => ({
    version: reader.u16(),
    cookie: reader.bytes(reader.u8()),
  }));
}

/** RFC 6347 §4.2.1: the version field is DTLS 1.0 whatever is spoken later. */
export function encodeHelloVerifyRequest(cookie: Uint8Array): Uint8Array {
  if (cookie.length > COOKIE_LENGTH_MAX) throw decodeError('a cookie has at most 255 bytes');
  return new ByteWriter(64)
    .u16(DTLS_1_0)
    .lengthPrefixed(1, (w) => w.bytes(cookie))
    .finish();
}

function readStart(reader: ByteReader): ClientHelloStart {
  const version = reader.u16();
  const random = reader.bytes(RANDOM_LENGTH);
  const sessionId = readSessionId(reader);
  return { version, random, sessionId, cookie: reader.bytes(reader.u8()) };
}

function readSessionId(reader: ByteReader): Uint8Array {
  const length = reader.u8();
  if (length > SESSION_ID_LENGTH_MAX) throw decodeError('a session id has at most 32 bytes');
  return reader.bytes(length);
}

/** The block may be missing altogether, which is not the same as empty on the wire but means the same. */
function readExtensions(reader: ByteReader): RawExtensions {
  const extensions = new Map<number, Uint8Array>();
  if (reader.remaining === 0) return extensions;
  const block = reader.sub(reader.u16());
  while (block.remaining > 0) {
    const type = block.u16();
    if (extensions.has(type)) throw decodeError(`extension ${type} appears twice`);
    extensions.set(type, block.bytes(block.u16()));
  }
  return extensions;
}

function writeExtensions(writer: ByteWriter, extensions: RawExtensions): void {
  if (extensions.size === 0) return;
  writer.lengthPrefixed(2, (block) => {
    for (const [type, data] of extensions) block.u16(type).lengthPrefixed(2, (w) => w.bytes(data));
  });
}
