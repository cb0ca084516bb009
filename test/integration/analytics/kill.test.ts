import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { MqttClient } from 'mqtt';
import { recordTopic } from '@sefleet/cose';
import { AnalyticsProcess, deviceCredential, sealed, sessionCredential, until } from './analytics-process.ts';

const DEVICES = 8;
const RECORDS = 400;
/** A crash, an orderly stop under load, and a crash again. */
const ENDS = ['SIGKILL', 'SIGTERM', 'SIGKILL'] as const;
let analytics: AnalyticsProcess;

before(async () => {
  analytics = await AnalyticsProcess.start();
});
after(() => analytics.stop());

test('loses no acknowledged record and stores none twice when it is killed under load', async () => {
  const acknowledged = new Map<string, Set<number>>();
  const publishers = Array.from({ length: DEVICES }, async (_, at) => {
    const endpoint = `urn:dev:sefleet:obu-${String(at).padStart(6, '0')}`;
    const credential = await sessionCredential(
      await deviceCredential(analytics.authority(), endpoint),
      'session',
    );
    const seen = new Set<number>();
    acknowledged.set(endpoint, seen);
    const client = analytics.mqtt({ ...credential, reconnectPeriod: 50, clientId: 'unit', clean: false });
    client.on('error', () => {});
    await publishAll(client, endpoint, seen);
    await client.endAsync();
  });
  const total = (): number => [...acknowledged.values()].reduce((sum, { size }) => sum + size, 0);
  for (const [at, signal] of ENDS.entries()) {
    const enough = ((at + 1) * DEVICES * RECORDS) / (ENDS.length + 1);
    await until(`${enough} records`, () => Promise.resolve(total() >= enough ? true : undefined));
    const code = await analytics.kill(signal);
    if (signal === 'SIGTERM') assert.equal(code, 0, analytics.log);
    await analytics.launch();
  }
  await Promise.all(publishers);
  assert.equal(total(), DEVICES * RECORDS);
  const ledger = await until('every record stored', async () => {
    const rows = new Map<string, { stored: number; duplicated: number }>();
    for await (const { devices } of analytics.telemetryClient().listLedger({})) {
      for (const { endpoint, stored, duplicated } of devices) {
        rows.set(endpoint, { stored: Number(stored), duplicated: Number(duplicated) });
      }
    }
    const stored = [...rows.values()].reduce((sum, row) => sum + row.stored, 0);
    return stored >= DEVICES * RECORDS ? rows : undefined;
  });
  for (const row of ledger.values()) assert.deepEqual(row, { stored: RECORDS, duplicated: 0 });
});

test('acknowledges while ClickHouse is away, and stores when it is back', async () => {
  const endpoint = 'urn:dev:sefleet:obu-999999';
  await analytics.kill('SIGTERM');
  await analytics.launch({ SEFLEET_CLICKHOUSE_URL: 'http://127.0.0.1:1' });
  const credential = await sessionCredential(
    await deviceCredential(analytics.authority(), endpoint),
    'session',
  );
  const client = analytics.mqtt(credential);
  const topic = recordTopic({ kind: 'obu', endpoint });
  for (const sequence of [1, 2, 3]) {
    await client.publishAsync(topic, Buffer.from(sealed({ endpoint, sequence })), { qos: 1 });
  }
  await client.endAsync();
  await assert.rejects(analytics.fleetClient().queryTelemetry({ endpoint }), {
    code: 'ANALYTICS_STORE_UNAVAILABLE',
  });
  assert.match(analytics.log, /SEFLEET_CLICKHOUSE_URL/);
  await analytics.kill('SIGKILL');
  await analytics.launch();
  await until('the three records', async () => {
    const { readings } = await analytics.fleetClient().queryTelemetry({ endpoint });
    return readings.length === 3 ? true : undefined;
  });
});

/** Publishes records 1 to RECORDS, a few at a time, each until it is acknowledged. */
async function publishAll(client: MqttClient, endpoint: string, seen: Set<number>): Promise<void> {
  const topic = recordTopic({ kind: 'obu', endpoint });
  let next = 1;
  const worker = async (): Promise<void> => {
    while (next <= RECORDS) {
      const sequence = next++;
      await client.publishAsync(topic, Buffer.from(sealed({ endpoint, sequence })), { qos: 1 });
      seen.add(sequence);
    }
  };
  await Promise.all(Array.from({ length: 5 }, worker));
}
