import { ByteReader, ByteReaderError, concatBytes } from '@sefleet/bytes';
import { globalPlatformError } from '../errors.ts';
import { encodeTlv } from './ber-tlv.ts';

/**
 * Length (one byte, or BER above 127) and value: the fields of INSTALL, receipts and key agreement (GPCS
 * §11.1.6).
 */
export function encodeLv(value: Uint8Array): Uint8Array {
  // A BER-TLV without its tag byte.
  return encodeTlv(0x04, value).subarray(1);
}

/** Several {@link encodeLv} fields. */
export function encodeLvs(...values: readonly Uint8Array[]): Uint8Array {
  return concatBytes(...values.map(encodeLv));
}

/** Reads one LV field. Lengths of 80 to FF are BER when `81` or `82` leads and the short form otherwise. */
export function readLv(reader: ByteReader): Uint8Array {
  const first = reader.u8();
  if (first === 0x81) return reader.bytes(reader.u8());
  if (first === 0x82) return reader.bytes(reader.u16());
  return reader.bytes(first);
}

/**
 * Exactly `count` LV fields and nothing behind them.
 *
 * @throws SefleetError `GP_TLV_MALFORMED` otherwise.
 */
export function decodeLvs(bytes: Uint8Array, count: number): readonly Uint8Array[] {
  return readAll(bytes, (reader) => {
    const fields: Uint8Array[] = [];
    for (let i = 0; i < count; i++) fields.push(readLv(reader));
    return fields;
  });
}

/** Runs `read` over all of `bytes`; truncation and trailing bytes become `GP_TLV_MALFORMED`. */
export function readAll<T>(bytes: Uint8Array, read: (reader: ByteReader) => T): T {
  try {
    const reader = new ByteReader(bytes);
    const value = read(reader);
    reader.end();
    return value;
  } catch (error) {
    if (error instanceof ByteReaderError) {
      throw globalPlatformError('GP_TLV_MALFORMED', 'a structure is truncated or has bytes left over', {
        cause: error,
      });
    }
    throw error;
  }
}
