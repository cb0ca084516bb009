import type { ByteReader, ByteWriter } from '@sefleet/bytes';

/** Metric id and the highest value so far, of each metric that only ever grows. */
export type Registers = readonly (readonly [metricId: number, value: number])[];

/** What a measuring applet keeps: what all of them do, and what this one adds. */
export interface MeasuringState<Own> {
  /** The sequence number of the last record that went through the applet, whoever it was for. */
  readonly sequence: number;
  readonly registers: Registers;
  /** The last cut-over until the next record: its answer may have been lost. */
  readonly handedOver: HandedOver | undefined;
  readonly own: Own;
}

/** A cut-over that was answered. */
export interface HandedOver {
  /** SHA-256 of the command's data. */
  readonly digest: Uint8Array;
  readonly answer: Uint8Array;
}

/** How the part of a state that is one applet's own stands in a card image. */
export interface OwnCodec<Own> {
  encode(writer: ByteWriter, own: Own): void;
  decode(reader: ByteReader): Own;
}

/** The register of a metric; undefined before its first reading. */
export function registerOf(registers: Registers, metric: number): number | undefined {
  for (const [id, value] of registers) if (id === metric) return value;
  return undefined;
}

const DIGEST_BYTES = 32;
const DOUBLE_BYTES = 8;

/** The state as it stands in a card image. */
export function writeMeasuringState<Own>(
  writer: ByteWriter,
  state: MeasuringState<Own>,
  codec: OwnCodec<Own>,
): void {
  writer.u48(state.sequence).u8(state.registers.length);
  for (const [metric, value] of state.registers) writeDouble(writer.u16(metric), value);
  const { handedOver } = state;
  writer.u8(handedOver === undefined ? 0 : 1);
  if (handedOver !== undefined) {
    writer.bytes(handedOver.digest).u16(handedOver.answer.length).bytes(handedOver.answer);
  }
  codec.encode(writer, state.own);
}

/** Reads {@link writeMeasuringState}, to the end. */
export function readMeasuringState<Own>(reader: ByteReader, codec: OwnCodec<Own>): MeasuringState<Own> {
  const sequence = reader.u48();
  const registers: (readonly [number, number])[] = [];
  for (let left = reader.u8(); left > 0; left--) registers.push([reader.u16(), readDouble(reader)]);
  const handedOver =
    reader.u8() === 0
      ? undefined
      : { digest: reader.bytes(DIGEST_BYTES).slice(), answer: reader.bytes(reader.u16()).slice() };
  const own = codec.decode(reader);
  reader.end();
  return { sequence, registers, handedOver, own };
}

/** A number of a reading: IEEE 754, eight bytes. */
export function writeDouble(writer: ByteWriter, value: number): ByteWriter {
  return writer.bytes(doubleBytes(value));
}

/** Reads {@link writeDouble}. */
export function readDouble(reader: ByteReader): number {
  return doubleOf(reader.bytes(DOUBLE_BYTES));
}

/** The eight bytes of a number, big-endian IEEE 754. */
export function doubleBytes(value: number): Uint8Array {
  const bytes = new Uint8Array(DOUBLE_BYTES);
  new DataView(bytes.buffer).setFloat64(0, value);
  return bytes;
}

/** The number of eight bytes. */
export function doubleOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, DOUBLE_BYTES).getFloat64(0);
}
