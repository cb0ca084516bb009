import { encodeRecordBatch, MAX_BATCH_BYTES, MAX_BATCH_RECORDS, recordTopic } from '@sefleet/cose';
import type { RecordTopicKind } from '@sefleet/cose';
import type { Lwm2mEntry } from '@sefleet/lwm2m';
import { SEALED_RECORD_PATH } from '@sefleet/lwm2m-coap';
import type { Registration, SendVerdict } from '@sefleet/lwm2m-coap';

/** Where sealed records go. */
export interface RecordPublisher {
  /** True while one more message may be published. */
  readonly ready: boolean;
  /**
   * Resolves with true when the message is safe with the broker, and with false when the broker refused it.
   */
  publish(topic: string, payload: Uint8Array): Promise<boolean>;
}

/** About the time in which a broker that was restarted is there again. */
const RETRY_AFTER_SECONDS = 2;
const BUSY: SendVerdict = { kind: 'busy', retryAfterSeconds: RETRY_AFTER_SECONDS };
const ACCEPTED: SendVerdict = { kind: 'accepted' };
const REFUSED: SendVerdict = { kind: 'refused' };
/** Bytes for the frame of a batch around its records. */
const BATCH_FRAME_BYTES = 2048;

/** Passes the sealed records of a Send on to the broker, unopened. */
export class RecordForwarder {
  readonly #publisher: RecordPublisher;
  readonly #count: (name: string, by?: number) => void;

  constructor(publisher: RecordPublisher, count: (name: string, by?: number) => void) {
    this.#publisher = publisher;
    this.#count = count;
  }

  /**
   * Publishes what `entries` hold of sealed records, if anything.
   *
   * @returns `accepted` when the broker has acknowledged all of it: only then may the device forget it
   */
  async forward(registration: Registration, entries: readonly Lwm2mEntry[]): Promise<SendVerdict> {
    const records = sealedRecords(entries);
    if (records.length === 0) return ACCEPTED;
    const topic = topicOf(registration);
    if (topic === undefined || !fitsBatch(records)) {
      this.#count('records.refused', records.length);
      return REFUSED;
    }
    if (!this.#publisher.ready) {
      this.#count('records.busy', records.length);
      return BUSY;
    }
    const stored = await this.#publisher.publish(topic, encodeRecordBatch(records));
    this.#count(stored ? 'records.forwarded' : 'records.busy', records.length);
    return stored ? ACCEPTED : BUSY;
  }
}

function sealedRecords(entries: readonly Lwm2mEntry[]): readonly Uint8Array[] {
  const records: Uint8Array[] = [];
  for (const { path, value } of entries) {
    if (value instanceof Uint8Array && SEALED_RECORD_PATH.contains(path)) records.push(value);
  }
  return records;
}

function fitsBatch(records: readonly Uint8Array[]): boolean {
  let bytes = BATCH_FRAME_BYTES;
  for (const record of records) bytes += record.length;
  return records.length <= MAX_BATCH_RECORDS && bytes <= MAX_BATCH_BYTES;
}

function topicOf({ kind, endpoint }: Registration): string | undefined {
  return isTopicKind(kind) ? recordTopic({ kind, endpoint }) : undefined;
}

function isTopicKind(kind: string): kind is RecordTopicKind {
  return kind === 'smart-meter' || kind === 'obu' || kind === 'rpm-gateway';
}
