import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ClickHouseClient } from '@clickhouse/client';
import type { StoredRange, StoredRecord } from '../../domain/ports.ts';
import { openClient } from './open-client.ts';
import { countDeadLetters, createRecordStore } from './record-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'sefleet-store-'));
const clock = { monotonicMs: () => 0, wallMs: () => Date.now() };
let client: ClickHouseClient;

before(async () => {
  client = await openClient({ url: '', database: 'sefleet', folder });
});
after(async () => {
  await client.close();
  rmSync(folder, { recursive: true, force: true });
});

const record = (sequence: number, more: Partial<StoredRecord> = {}): StoredRecord => ({
  stakeholder: 'northern-power',
  keyVersion: 1,
  kind: 'smart-meter',
  endpoint: 'urn:dev:sefleet:meter-000001',
  sequence,
  timestampMs: 1_700_000_000_000 + sequence,
  metrics: ['activeEnergyWh', 'activePowerW'],
  values: [1000 + sequence, 0.1],
  ...more,
});

async function rows(query: string): Promise<readonly unknown[]> {
  return (await client.query({ query, format: 'JSONEachRow' })).json();
}

test('stores a record and reads it back value by value', async () => {
  const store = createRecordStore(client, clock);
  await store.insert([record(1), record(2), record(4)], 'a');
  assert.deepEqual(
    await rows('SELECT sequence, at, metric, value FROM readings WHERE sequence = 2 ORDER BY metric'),
    [
      { sequence: 2, at: '2023-11-14 22:13:20.002', metric: 'activeEnergyWh', value: 1002 },
      { sequence: 2, at: '2023-11-14 22:13:20.002', metric: 'activePowerW', value: 0.1 },
    ],
  );
});

test('does the same insert once, however often it is tried', async () => {
  const store = createRecordStore(client, clock);
  await store.insert([record(5)], 'b');
  await store.insert([record(5)], 'b');
  assert.deepEqual(await rows('SELECT count() AS n FROM records WHERE sequence = 5'), [{ n: 1 }]);
});

test('tells the runs of sequence numbers that are stored', async () => {
  const store = createRecordStore(client, clock);
  const other = { endpoint: 'urn:dev:sefleet:meter-000002', stakeholder: 'aqua' };
  await store.insert([record(10, other), record(11, other)], 'c');
  const ranges: StoredRange[] = [];
  for await (const range of store.storedRanges()) ranges.push(range);
  assert.deepEqual(ranges, [
    { ...other, first: 10, last: 11 },
    { stakeholder: 'northern-power', endpoint: 'urn:dev:sefleet:meter-000001', first: 1, last: 2 },
    { stakeholder: 'northern-power', endpoint: 'urn:dev:sefleet:meter-000001', first: 4, last: 5 },
  ]);
});

test('shows a stakeholder nothing of another', async () => {
  const seen = await rows(`SELECT DISTINCT stakeholder FROM stakeholder_readings(stakeholder = 'aqua')`);
  assert.deepEqual(seen, [{ stakeholder: 'aqua' }]);
  assert.deepEqual(await rows(`SELECT * FROM stakeholder_readings(stakeholder = 'nobody')`), []);
});

test('stores an endpoint name that reads like SQL as a name', async () => {
  const store = createRecordStore(client, clock);
  const names = [
    `x'; DROP TABLE records; --`,
    'a\nb;\n\nSELECT 1',
    'tab\t"quoted" \\ back\u0000slash',
    '名前',
  ];
  for (const [at, endpoint] of names.entries())
    await store.insert([record(1, { endpoint })], `hostile-${at}`);
  const stored = await rows(`SELECT endpoint FROM records WHERE endpoint NOT LIKE 'urn:%' ORDER BY endpoint`);
  assert.deepEqual(stored.map((row) => (row as { endpoint: string }).endpoint).toSorted(), names.toSorted());
});

test('stores every time that a record may carry', async () => {
  const store = createRecordStore(client, clock);
  const times = [0, 1, 999, 5000, 86_400_000, 1_700_000_000_000, Date.UTC(2299, 11, 31)];
  const endpoint = 'urn:times';
  await store.insert(
    times.map((timestampMs, at) => record(at + 1, { endpoint, timestampMs })),
    'times',
  );
  const stored = await rows(
    `SELECT toUnixTimestamp64Milli(at) AS ms FROM records WHERE endpoint = '${endpoint}' ORDER BY sequence`,
  );
  assert.deepEqual(
    stored.map((row) => Number((row as { ms: number }).ms)),
    times,
  );
});

test('keeps dead letters with their reason', async () => {
  const store = createRecordStore(client, clock);
  await store.insertDeadLetters([{ topic: 't', reason: 'malformed', payload: Uint8Array.of(1, 2, 3) }], 'd');
  assert.equal(await countDeadLetters(client), 1);
  assert.deepEqual(await rows('SELECT topic, reason, payload FROM dead_letters'), [
    { topic: 't', reason: 'malformed', payload: 'AQID' },
  ]);
});

test('opens a database that exists without changing it', async () => {
  await client.close();
  client = await openClient({ url: '', database: 'sefleet', folder });
  assert.deepEqual(await rows('SELECT count() AS n FROM schema_versions'), [{ n: 2 }]);
  assert.equal(await countDeadLetters(client), 1);
});
