import { ByteWriter, type ByteReader } from '@sefleet/bytes';
import { decodeAll, decodeError } from '../errors.ts';

/**
 * RFC 8422 §5.1.1, and RFC 5246 §7.4.1.4.1 for signature algorithms: a two-byte length, then 16-bit values.
 */
export function decodeU16List(what: string, data: Uint8Array): readonly number[] {
  return decodeAll(what, data, (reader) => {
    const list = reader.sub(reader.u16());
    const values: number[] = [];
    while (list.remaining > 0) values.push(list.u16());
    return values;
  });
}

export function encodeU16List(values: readonly number[]): Uint8Array {
  const writer = new ByteWriter(16);
  writer.lengthPrefixed(2, (w) => {
    for (const value of values) w.u16(value);
  });
  return writer.finish();
}

/**
 * A one-byte length, then bytes: point formats (RFC 8422 §5.1.2), certificate types (RFC 7250 §3), CIDs,
 * renegotiation.
 */
export function decodeOpaque8(what: string, data: Uint8Array): Uint8Array {
  return decodeAll(what, data, (reader) => reader.bytes(reader.u8()));
}

export function encodeOpaque8(value: Uint8Array): Uint8Array {
  return new ByteWriter(1 + value.length).lengthPrefixed(1, (w) => w.bytes(value)).finish();
}

/** The DNS name of a server_name extension, or undefined when it names none. RFC 6066 §3. */
export function decodeServerName(data: Uint8Array): string | undefined {
  return decodeAll('server_name', data, (reader) => {
    const list = reader.sub(reader.u16());
    let hostName: string | undefined;
    while (list.remaining > 0) {
      const type = list.u8();
      const name = list.bytes(list.u16());
      if (type !== HOST_NAME) continue;
      if (hostName !== undefined) throw decodeError('server_name: two names of one type');
      hostName = asciiText(name);
    }
    return hostName;
  });
}

export function encodeServerName(name: string): Uint8Array {
  const writer = new ByteWriter(8 + name.length);
  const host = new TextEncoder().encode(name);
  writer.lengthPrefixed(2, (list) => list.u8(HOST_NAME).lengthPrefixed(2, (w) => w.bytes(host)));
  return writer.finish();
}

/** RFC 8449 §4. */
export function decodeRecordSizeLimit(data: Uint8Array): number {
  return decodeAll('record_size_limit', data, (reader) => reader.u16());
}

export function encodeRecordSizeLimit(limit: number): Uint8Array {
  return new ByteWriter(2).u16(limit).finish();
}

/** The certificate type that a server chose. RFC 7250 §3. */
export function decodeCertificateType(data: Uint8Array): number {
  return decodeAll('certificate_type', data, (reader: ByteReader) => reader.u8());
}

const HOST_NAME = 0;

function asciiText(bytes: Uint8Array): string {
  for (const byte of bytes) {
    if (byte < 0x21 || byte > 0x7e) throw decodeError('server_name: not a DNS name');
  }
  return String.fromCharCode(...bytes);
}
