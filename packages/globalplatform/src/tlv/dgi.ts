import { ByteWriter } from '@sefleet/bytes';
import type { ByteReader } from '@sefleet/bytes';
import { readAll } from './length-value.ts';

/** A data grouping: a two-byte identifier and its data (GPCS 2.3.1 §11.11.2.2; EMV CPS). */
export interface Dgi {
  readonly id: number;
  readonly data: Uint8Array;
}

/** The data groupings in `bytes`; `GP_TLV_MALFORMED` when one is truncated. */
export function decodeDgis(bytes: Uint8Array): readonly Dgi[] {
  return readAll(bytes, (reader) => {
    const dgis: Dgi[] = [];
    while (reader.remaining > 0) dgis.push({ id: reader.u16(), data: reader.bytes(readDgiLength(reader)) });
    return dgis;
  });
}

/** The bytes of data groupings: one length byte, or FF and two. */
export function encodeDgis(dgis: readonly Dgi[]): Uint8Array {
  const writer = new ByteWriter();
  for (const dgi of dgis) {
    writer.u16(dgi.id);
    if (dgi.data.length < 0xff) writer.u8(dgi.data.length);
    else writer.u8(0xff).u16(dgi.data.length);
    writer.bytes(dgi.data);
  }
  return writer.finish();
}

function readDgiLength(reader: ByteReader): number {
  const first = reader.u8();
  return first === 0xff ? reader.u16() : first;
}
