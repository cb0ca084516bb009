import { ByteReader, ByteReaderError, ByteWriter } from '@sefleet/bytes';
import { metricNamed } from '@sefleet/cose';
import { encodeTlv, STATUS_WORD } from '@sefleet/globalplatform';
import { refuse } from '../../card/refusal.ts';
import type { Reading } from '../applet.ts';
import { defineMeasuringApplet } from '../measuring/measuring-applet.ts';
import { MEASURING_DGI } from '../measuring/measuring-protocol.ts';
import { readDouble, writeDouble } from '../measuring/measuring-state.ts';
import { VITAL_SIGNS_MODULE } from './identifiers.ts';
import { VITAL_SIGNS_TAG } from './vital-signs-protocol.ts';

/** Between what a vital sign has to be; both values are allowed. */
export interface VitalBounds {
  readonly metric: number;
  readonly low: number;
  readonly high: number;
}

/** What the applet keeps for the healthcare provider. */
interface VitalSignsState {
  readonly bounds: readonly VitalBounds[];
  /** Metrics that were out of bounds since the last CLEAR. */
  readonly alarm: readonly number[];
  /** Time of the reading that raised the alarm; 0 without one. */
  readonly alarmSinceMs: number;
}

const INITIAL: VitalSignsState = { bounds: [], alarm: [], alarmSinceMs: 0 };
const MAX_BOUNDS = 32;
const BOUNDS_BYTES = 18;
/** The metric by which a record says that a value in it was out of bounds. */
const ALARM_METRIC = metricNamed('vitalSignAlarm')?.id ?? 0;

/**
 * Vital signs: the card compares readings with its owner's bounds, which stay inside, and raises an alarm
 * that stays until its owner clears it. The record of a reading out of bounds says so.
 */
export const VITAL_SIGNS_APPLET = defineMeasuringApplet<VitalSignsState>({
  module: VITAL_SIGNS_MODULE,
  name: 'vital signs',
  growing: [],
  initial: INITIAL,
  measure: (own, { reading }) => {
    const out = outOfBounds(own.bounds, reading);
    if (out.length === 0) return { own };
    const alarm = [...new Set([...own.alarm, ...out])];
    const alarmSinceMs = own.alarm.length === 0 ? reading.timestampMs : own.alarmSinceMs;
    return { own: { ...own, alarm, alarmSinceMs }, added: [[ALARM_METRIC, out.length]] };
  },
  // Bounds that were staged and are none must not hold up a hand-over: their owner can store others.
  handOver: (parameters) => ({ ...INITIAL, bounds: decodeBounds(parameters) ?? [] }),
  describe: ({ bounds, alarm, alarmSinceMs }) => {
    const since = new ByteWriter(8).u64(BigInt(alarmSinceMs)).finish();
    return Buffer.concat([
      encodeTlv(VITAL_SIGNS_TAG.BOUNDS, encodeBounds(bounds)),
      encodeTlv(VITAL_SIGNS_TAG.ALARM, Uint8Array.from(alarm.flatMap((id) => [id >> 8, id]))),
      ...(alarm.length === 0 ? [] : [encodeTlv(VITAL_SIGNS_TAG.ALARM_SINCE, since)]),
    ]);
  },
  clear: (own) => ({ ...own, alarm: [], alarmSinceMs: 0 }),
  store: (own, dgis) => {
    const [first, ...rest] = dgis;
    if (first?.id !== MEASURING_DGI.BOUNDS || rest.length > 0) return refuse(STATUS_WORD.WRONG_DATA);
    return { ...own, bounds: decodeBounds(first.data) ?? refuse(STATUS_WORD.WRONG_DATA) };
  },
  encode: (writer, { bounds, alarm, alarmSinceMs }) => {
    writer.u8(bounds.length).bytes(encodeBounds(bounds)).u8(alarm.length);
    for (const id of alarm) writer.u16(id);
    writer.u48(alarmSinceMs);
  },
  decode: (reader) => {
    const bounds = decodeBounds(reader.bytes(reader.u8() * BOUNDS_BYTES)) ?? [];
    const alarm = Array.from({ length: reader.u8() }, () => reader.u16());
    return { bounds, alarm, alarmSinceMs: reader.u48() };
  },
});

/** Bounds as the owner stores them: 18 bytes each. */
export function encodeBounds(bounds: readonly VitalBounds[]): Uint8Array {
  const writer = new ByteWriter(64);
  for (const { metric, low, high } of bounds) writeDouble(writeDouble(writer.u16(metric), low), high);
  return writer.finish();
}

/** Reads {@link encodeBounds}; undefined when they are none: each metric once, and lower not above upper. */
function decodeBounds(data: Uint8Array): readonly VitalBounds[] | undefined {
  const reader = new ByteReader(data);
  const bounds: VitalBounds[] = [];
  try {
    while (reader.remaining > 0) {
      const metric = reader.u16();
      bounds.push({ metric, low: readDouble(reader), high: readDouble(reader) });
    }
  } catch (error) {
    if (error instanceof ByteReaderError) return undefined;
    throw error;
  }
  const isSound = bounds.every(({ low, high }) => low <= high);
  const isUnique = new Set(bounds.map(({ metric }) => metric)).size === bounds.length;
  return isSound && isUnique && bounds.length <= MAX_BOUNDS ? bounds : undefined;
}

function outOfBounds(bounds: readonly VitalBounds[], { values }: Reading): readonly number[] {
  return bounds.flatMap(({ metric, low, high }) => {
    const value = values.find(([id]) => id === metric)?.[1];
    return value === undefined || (value >= low && value <= high) ? [] : [metric];
  });
}
