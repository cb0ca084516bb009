import { decode, encode } from 'cborg';
import { coseError } from '../errors.ts';

/** What a device measured at one instant. */
export interface TelemetryRecord {
  /** Counts the records of a device from 1 without a gap; 0 while no card has given the number. */
  readonly sequence: number;
  /** Milliseconds since 1970-01-01T00:00:00Z by the device's clock. */
  readonly timestampMs: number;
  /** Metric id and value; the ids are those of {@link METRICS}. */
  readonly values: readonly (readonly [metricId: number, value: number])[];
}

/** Values in a record; a meter sends up to seven. */
export const MAX_RECORD_VALUES = 64;
/** Metric ids fit 16 bits. */
const MAX_METRIC_ID = 65_535;

/** No clock of a device runs past the year 9999. */
const MAX_TIMESTAMP_MS = 253_402_300_799_999;
const SEQUENCE = 1;
const TIMESTAMP = 2;
const VALUES = 3;

/**
 * A record as a CBOR map `{1: sequence, 2: timestampMs, 3: [[metricId, value], ...]}`: about 40 bytes.
 *
 * @throws SefleetError `COSE_RECORD_INVALID`, fault `caller`.
 */
export function encodeTelemetryRecord(record: TelemetryRecord): Uint8Array {
  const reason = problemOf(record.sequence, record.timestampMs, record.values);
  if (reason !== undefined) throw coseError('COSE_RECORD_INVALID', `telemetry record: ${reason}`);
  return encode(
    new Map<number, unknown>([
      [SEQUENCE, record.sequence],
      [TIMESTAMP, record.timestampMs],
      [VALUES, record.values],
    ]),
  );
}

/**
 * Reads a record, all of `data`. Map keys beyond the three are passed over.
 *
 * @throws SefleetError `COSE_RECORD_MALFORMED`, fault `peer`; nothing else.
 */
export function decodeTelemetryRecord(data: Uint8Array): TelemetryRecord {
  const map = decodeMap(data);
  const sequence = map.get(SEQUENCE);
  const timestampMs = map.get(TIMESTAMP);
  const values = map.get(VALUES);
  if (!Array.isArray(values)) throw malformed('the values are no list');
  const pairs: (readonly [number, number])[] = [];
  for (const pair of values as unknown[]) {
    if (!Array.isArray(pair) || pair.length !== 2) throw malformed('a value is no pair');
    const [id, value]: unknown[] = pair;
    if (typeof id !== 'number' || typeof value !== 'number') throw malformed('a value is no pair of numbers');
    pairs.push([id, value]);
  }
  if (typeof sequence !== 'number' || typeof timestampMs !== 'number') throw malformed('no sequence or time');
  const reason = problemOf(sequence, timestampMs, pairs);
  if (reason !== undefined) throw malformed(reason);
  return { sequence, timestampMs, values: pairs };
}

function decodeMap(data: Uint8Array): ReadonlyMap<unknown, unknown> {
  let value: unknown;
  try {
    value = decode(data, { useMaps: true, rejectDuplicateMapKeys: true, allowIndefinite: false });
  } catch (cause) {
    throw malformed('not well-formed CBOR', cause);
  }
  if (!(value instanceof Map)) throw malformed('not a map');
  return value;
}

function problemOf(
  sequence: number,
  timestampMs: number,
  values: TelemetryRecord['values'],
): string | undefined {
  if (!Number.isSafeInteger(sequence) || sequence < 0) return 'the sequence is no whole number from 0';
  if (!Number.isSafeInteger(timestampMs) || timestampMs < 0 || timestampMs > MAX_TIMESTAMP_MS) {
    return 'the time is no whole number of milliseconds in the years 1970 to 9999';
  }
  if (values.length === 0 || values.length > MAX_RECORD_VALUES) return `not 1 to ${MAX_RECORD_VALUES} values`;
  const seen = new Set<number>();
  for (const [id, value] of values) {
    if (!Number.isInteger(id) || id < 1 || id > MAX_METRIC_ID) return 'a metric id is not 1 to 65535';
    if (!Number.isFinite(value)) return 'a value is not finite';
    if (seen.has(id)) return 'a metric stands twice';
    seen.add(id);
  }
  return undefined;
}

function malformed(reason: string, cause?: unknown): Error {
  return coseError(
    'COSE_RECORD_MALFORMED',
    `telemetry record: ${reason}`,
    cause === undefined ? {} : { cause },
  );
}
