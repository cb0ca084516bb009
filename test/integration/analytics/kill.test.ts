import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { MqttClient } from 'mqtt';
import { recordTopic } from '@sefleet/cose';
import { AnalyticsProcess, deviceCredential, sealed, sessionCredential, until } from './analytics-process.ts';

const DEVICES = 8;
const RECORDS = 400;
const KILLS = 3;
let analytics: AnalyticsProcess;

before(async () => {
  analytics = await AnalyticsProcess.start();
});
after(() => analytics.stop());

test('loses no acknowledged record, and stores none twice, when it is killed while devices publish', async () => {
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
  for (let kill = 1; kill <= KILLS; kill++) {
    const enough = (kill * DEVICES * RECORDS) / (KILLS + 1);
    await until(`${enough} records`, () => Promise.resolve(total() >= enough ? true : undefined));
    await analytics.kill('SIGKILL');
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
