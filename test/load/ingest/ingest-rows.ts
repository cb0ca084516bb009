import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deriveRecordKey, encodeRecordBatch, recordTopic, sealTelemetryRecord } from '@sefleet/cose';
import { createEventLog } from '@sefleet/observability';
import { createNodeRuntime } from '@sefleet/runtime/node';
import { openClient } from '../../../services/analytics/src/adapters/clickhouse/open-client.ts';
import { createRecordStore } from '../../../services/analytics/src/adapters/clickhouse/record-store.ts';
import { Ingest } from '../../../services/analytics/src/domain/ingest.ts';
import type {
  RecordMessage,
  RecordSource,
  StoredRecord,
} from '../../../services/analytics/src/domain/ports.ts';
import { RecordKeys } from '../../../services/analytics/src/domain/record-keys.ts';

/** Something to measure: one round gives records per second. */
export interface Measured {
  round(): Promise<number>;
  close(): Promise<void>;
}

const DEVICES = 1000;
const BATCH = 16;
const STAKEHOLDER = 'northern-power';
const masterKey = new Uint8Array(16).fill(1);
const clickHouse = async (): Promise<{ folder: string; client: Awaited<ReturnType<typeof openClient>> }> => {
  const folder = mkdtempSync(join(tmpdir(), 'sefleet-bench-'));
  return { folder, client: await openClient({ url: '', database: 'sefleet', folder }) };
};

/** Sealed messages in memory, opened and stored by the service's own ingest. */
export async function ingestRows(records: number): Promise<Measured> {
  const { folder, client } = await clickHouse();
  const runtime = createNodeRuntime();
  const { clock } = runtime;
  const keys = [{ stakeholder: STAKEHOLDER, keyVersion: 1, masterKey, createdAtMs: 1 }];
  let next: RecordMessage[] = [];
  let left = 0;
  let finished: () => void = () => {};
  const source: RecordSource = {
    read: (limit, waitMs) => {
      if (next.length > 0) return Promise.resolve(next.splice(0, limit));
      return new Promise((resolve) => setTimeout(() => resolve([]), Math.min(waitMs, 1)));
    },
    acknowledge: (messages) => {
      left -= messages.length;
      if (left === 0) finished();
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
  const ingest = new Ingest(
    {
      source,
      store: createRecordStore(client, clock),
      keys: new RecordKeys({ fetch: () => Promise.resolve(keys) }, clock),
      clock,
      log: createEventLog({ service: 'bench', level: 'silent' }),
      sleep: (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs)),
    },
    { batchRecords: 10_000, lingerMs: 0 },
    'bench',
  );
  await ingest.start();
  let sequence = 1;
  return {
    round: async () => {
      const messages = sealedMessages(records, sequence);
      sequence += Math.ceil(records / DEVICES);
      const done = new Promise<void>((resolve) => (finished = resolve));
      left = messages.length;
      const started = performance.now();
      next = messages;
      await done;
      return (1000 * records) / (performance.now() - started);
    },
    close: async () => {
      await ingest.stop();
      await client.close();
      runtime.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The same rows as they reach the store. */
export async function insertRows(records: number): Promise<Measured> {
  const { folder, client } = await clickHouse();
  const store = createRecordStore(client, { monotonicMs: () => 0, wallMs: () => Date.now() });
  let rounds = 0;
  return {
    round: async () => {
      const rows = Array.from({ length: records }, (_, at) => plainRecord(at, ++rounds));
      const started = performance.now();
      for (let at = 0; at < rows.length; at += 10_000) {
        await store.insert(rows.slice(at, at + 10_000), `${rounds}-${at}`);
      }
      return (1000 * records) / (performance.now() - started);
    },
    close: async () => {
      await client.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const endpoints = Array.from(
  { length: DEVICES },
  (_, at) => `urn:dev:sefleet:meter-${String(at).padStart(6, '0')}`,
);
const recordKeys = endpoints.map((endpoint) => deriveRecordKey(masterKey, endpoint));

function sealedMessages(records: number, firstSequence: number): RecordMessage[] {
  const messages: RecordMessage[] = [];
  const perDevice = Math.ceil(records / DEVICES);
  let left = records;
  for (const [at, endpoint] of endpoints.entries()) {
    const count = Math.min(perDevice, left);
    left -= count;
    for (let done = 0; done < count; done += BATCH) {
      const batch = Array.from({ length: Math.min(BATCH, count - done) }, (_, index) =>
        sealTelemetryRecord({
          endpoint,
          stakeholder: STAKEHOLDER,
          keyVersion: 1,
          recordKey: recordKeys[at] ?? masterKey,
          record: recordOf(firstSequence + done + index),
        }),
      );
      const topic = recordTopic({ kind: 'smart-meter', endpoint });
      messages.push({ topic, payload: encodeRecordBatch(batch) });
    }
  }
  return messages;
}

function recordOf(sequence: number): Parameters<typeof sealTelemetryRecord>[0]['record'] {
  const values = [
    [1, 40_000_000 + sequence],
    [2, 431 + (sequence % 50)],
    [4, 230.1],
  ] as const;
  return { sequence, timestampMs: 1_760_000_000_000 + 1000 * sequence, values };
}

function plainRecord(at: number, sequence: number): StoredRecord {
  const { timestampMs, values } = recordOf(sequence);
  return {
    stakeholder: STAKEHOLDER,
    keyVersion: 1,
    kind: 'smart-meter',
    endpoint: endpoints[at % DEVICES] ?? '',
    sequence,
    timestampMs,
    metrics: ['activeEnergyWh', 'activePowerW', 'voltageV'],
    values: values.map(([, value]) => value),
  };
}
