import { ByteReader, ByteWriter } from '@sefleet/bytes';

/** What a records applet keeps. */
export interface RecordsState {
  /** Undefined until the stakeholder personalises the applet. */
  readonly owner: RecordsOwner | undefined;
  /** The sequence number of the last record; the next one is one more. */
  readonly sequence: number;
  /** The highest value so far of each metric that only ever grows. */
  readonly registers: readonly (readonly [metricId: number, value: number])[];
  /** Set by the sealed cut-over reading: nothing is sealed for this stakeholder any more. */
  readonly closed: boolean;
}

/** Whose records they are and under which key. */
export interface RecordsOwner {
  readonly stakeholder: string;
  readonly keyVersion: number;
  readonly endpoint: string;
  readonly recordKey: Uint8Array;
}

const UTF8_OUT = new TextEncoder();
const UTF8_IN = new TextDecoder();
const DOUBLE_BYTES = 8;

/** The state as it stands in a card image. */
export function encodeRecordsState(state: RecordsState): Uint8Array {
  const writer = new ByteWriter(96);
  writer.u8((state.owner === undefined ? 0 : 1) | (state.closed ? 2 : 0)).u48(state.sequence);
  writer.u8(state.registers.length);
  for (const [metric, value] of state.registers) {
    const double = new Uint8Array(DOUBLE_BYTES);
    new DataView(double.buffer).setFloat64(0, value);
    writer.u16(metric).bytes(double);
  }
  if (state.owner !== undefined) {
    const { stakeholder, keyVersion, endpoint, recordKey } = state.owner;
    writer.lengthPrefixed(1, (body) => body.bytes(UTF8_OUT.encode(stakeholder))).u32(keyVersion);
    writer.lengthPrefixed(1, (body) => body.bytes(UTF8_OUT.encode(endpoint)));
    writer.lengthPrefixed(1, (body) => body.bytes(recordKey));
  }
  return writer.finish();
}

/** Reads {@link encodeRecordsState}. */
export function decodeRecordsState(bytes: Uint8Array): RecordsState {
  const reader = new ByteReader(bytes);
  const flags = reader.u8();
  const sequence = reader.u48();
  const registers: (readonly [number, number])[] = [];
  for (let left = reader.u8(); left > 0; left--) {
    const metric = reader.u16();
    const double = reader.bytes(DOUBLE_BYTES);
    registers.push([metric, new DataView(double.buffer, double.byteOffset).getFloat64(0)]);
  }
  const owner = (flags & 1) === 0 ? undefined : readOwner(reader);
  reader.end();
  return { owner, sequence, registers, closed: (flags & 2) !== 0 };
}

function readOwner(reader: ByteReader): RecordsOwner {
  const stakeholder = text(reader);
  const keyVersion = reader.u32();
  return { stakeholder, keyVersion, endpoint: text(reader), recordKey: reader.bytes(reader.u8()).slice() };
}

/** Names are the same on many cards: each is kept once. */
const interned = new Map<string, string>();
const MAX_INTERNED = 4096;

function text(reader: ByteReader): string {
  const value = UTF8_IN.decode(reader.bytes(reader.u8()));
  const known = interned.get(value);
  if (known === undefined && interned.size < MAX_INTERNED) interned.set(value, value);
  return known ?? value;
}
