import {
  decodeRecordBatch,
  decodeSealedRecord,
  metricOf,
  openTelemetryRecord,
  parseRecordTopic,
  type RecordTopic,
  type SealedRecord,
} from '@sefleet/cose';
import { isSefleetError } from '@sefleet/errors';
import type { DeadLetter, RecordMessage, RejectReason, StoredRecord } from './ports.ts';
import type { RecordKeys } from './record-keys.ts';

/** What one message holds. */
export interface OpenedMessage {
  readonly records: readonly StoredRecord[];
  readonly letters: readonly DeadLetter[];
  /** True when a record names a key that is not known: the message has to be opened again, or given up. */
  readonly keyMissing: boolean;
}

/** DateTime64(3) ends with the year 2299; a record beyond it would be stored under another time. */
const MAX_STORED_TIMESTAMP_MS = Date.UTC(2299, 11, 31);

/**
 * Opens every record of a message. What is wrong with one becomes a dead letter with its reason, never an
 * exception.
 *
 * @param giveUp a record whose key is not known becomes a dead letter too
 */
export function openMessage(message: RecordMessage, keys: RecordKeys, giveUp: boolean): OpenedMessage {
  const { topic, payload } = message;
  const letter = (reason: RejectReason, data = payload): DeadLetter => ({ topic, reason, payload: data });
  const device = tried(() => parseRecordTopic(topic));
  if (device === undefined) return { records: [], letters: [letter('topic')], keyMissing: false };
  const sealedRecords = tried(() => decodeRecordBatch(payload));
  if (sealedRecords === undefined) return { records: [], letters: [letter('batch')], keyMissing: false };
  const records: StoredRecord[] = [];
  const letters: DeadLetter[] = [];
  for (const data of sealedRecords) {
    const opened = openRecord(data, device, keys);
    if (opened === 'unknownKey' && !giveUp) return { records: [], letters: [], keyMissing: true };
    if (typeof opened === 'string') letters.push(letter(opened, data));
    else records.push(opened);
  }
  return { records, letters, keyMissing: false };
}

function openRecord(
  data: Uint8Array,
  { kind, endpoint }: RecordTopic,
  keys: RecordKeys,
): StoredRecord | RejectReason {
  const sealed = tried(() => decodeSealedRecord(data));
  if (sealed === undefined) return 'malformed';
  const key = keys.find(sealed, endpoint);
  if (key === undefined) return 'unknownKey';
  const opened = openSealed(sealed, key, endpoint);
  if (typeof opened === 'string') return opened;
  if (opened.timestampMs > MAX_STORED_TIMESTAMP_MS) return 'timestamp';
  return {
    stakeholder: sealed.stakeholder,
    keyVersion: sealed.keyVersion,
    kind,
    endpoint,
    sequence: opened.sequence,
    timestampMs: opened.timestampMs,
    metrics: opened.values.map(([id]) => metricOf(id).name),
    values: opened.values.map(([, value]) => value),
  };
}

function openSealed(
  sealed: SealedRecord,
  key: Uint8Array,
  endpoint: string,
): ReturnType<typeof openTelemetryRecord> | RejectReason {
  try {
    return openTelemetryRecord(sealed, key, endpoint);
  } catch (error) {
    if (isSefleetError(error, 'COSE_AUTHENTICATION_FAILED')) return 'authentication';
    if (isSefleetError(error)) return 'malformed';
    throw error;
  }
}

/** The value, or undefined where the peer's bytes are to blame. */
function tried<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (isSefleetError(error) && error.fault === 'peer') return undefined;
    throw error;
  }
}
