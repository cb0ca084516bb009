import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ClickHouseClient } from '@clickhouse/client';
import type { StoredRecord } from '../../domain/ports.ts';
import { openClient } from './open-client.ts';
import { createRecordStore } from './record-store.ts';
import type { LedgerRow, TelemetryQueries } from '../../domain/telemetry.ts';
import { createTelemetryQueries } from './telemetry-queries.ts';

const folder = mkdtempSync(join(tmpdir(), 'sefleet-queries-'));
const start = 1_700_000_000_000;
let client: ClickHouseClient;
let queries: TelemetryQueries;

const record = (endpoint: string, sequence: number, more: Partial<StoredRecord> = {}): StoredRecord => ({
  stakeholder: 'northern-power',
  keyVersion: 1,
  kind: 'smart-meter',
  endpoint,
  sequence,
  timestampMs: start + 1000 * sequence,
  metrics: ['activeEnergyWh', 'activePowerW'],
  values: [sequence, Math.sin(sequence)],
  ...more,
});

before(async () => {
  client = await openClient({ url: '', database: 'sefleet', folder });
  const store = createRecordStore(client, { monotonicMs: () => 0, wallMs: () => Date.now() });
  const busy = Array.from({ length: 5000 }, (_, at) => record('meter-1', at + 1));
  busy[2500] = record('meter-1', 2501, { values: [2501, 999] });
  const obu = { kind: 'obu', metrics: ['speedKmh'], values: [50] } as const;
  await store.insert([...busy, record('meter-2', 3), record('meter-2', 4), record('obu-1', 1, obu)], 'rows');
  queries = createTelemetryQueries(client);
});
after(async () => {
  await client.close();
  rmSync(folder, { recursive: true, force: true });
});

const filter = { endpoint: 'meter-1', metric: '', fromMs: undefined, untilMs: undefined, maxPoints: 500 };

test('gives every value, oldest first, when there are few', async () => {
  const readings = await queries.readings({ ...filter, endpoint: 'meter-2' });
  assert.deepEqual(
    readings.map(({ sequence, metric, atMs }) => [sequence, metric, atMs - start]),
    [
      [3, 'activeEnergyWh', 3000],
      [3, 'activePowerW', 3000],
      [4, 'activeEnergyWh', 4000],
      [4, 'activePowerW', 4000],
    ],
  );
});

test('thins many values to the limit and keeps the peak', async () => {
  for (const maxPoints of [10, 100, 500, 9999]) {
    const readings = await queries.readings({ ...filter, maxPoints });
    assert.ok(readings.length <= maxPoints, `${readings.length} > ${maxPoints}`);
    assert.ok(readings.length >= maxPoints / 3, `${readings.length} of ${maxPoints}`);
    assert.ok(readings.some(({ value }) => value === 999));
    assert.ok((readings.at(-1)?.sequence ?? 0) > 2500);
  }
});

test('keeps to one metric and to a span of time', async () => {
  const readings = await queries.readings({
    ...filter,
    metric: 'activeEnergyWh',
    fromMs: start + 10_000,
    untilMs: start + 12_000,
  });
  assert.deepEqual(
    readings.map(({ value }) => value),
    [10, 11],
  );
});

test('tells the newest value of each metric', async () => {
  const last = await queries.lastReadings('meter-2');
  assert.deepEqual(
    last.map(({ metric, sequence }) => [metric, sequence]),
    [
      ['activeEnergyWh', 4],
      ['activePowerW', 4],
    ],
  );
  assert.deepEqual(await queries.lastReadings('nobody'), []);
  const times = await queries.lastReadingTimes(['meter-2', 'nobody']);
  assert.deepEqual([...times], [['meter-2', start + 4000]]);
});

test('lists devices in pages, by kind and by search', async () => {
  const first = await queries.devices({ after: '', limit: 2, kind: '', search: '' });
  assert.deepEqual(
    first.devices.map(({ endpoint }) => endpoint),
    ['meter-1', 'meter-2'],
  );
  assert.equal(first.total, 3);
  const rest = await queries.devices({ after: 'meter-2', limit: 2, kind: '', search: '' });
  assert.deepEqual(
    rest.devices.map(({ endpoint }) => endpoint),
    ['obu-1'],
  );
  assert.equal((await queries.devices({ after: '', limit: 9, kind: 'obu', search: '' })).total, 1);
  assert.equal((await queries.devices({ after: '', limit: 9, kind: '', search: 'meter' })).total, 2);
});

test('counts what is stored of each device', async () => {
  const stakeholder = 'northern-power';
  // One number, for two stakeholders: two records.
  const fresh = [4, 5].map((sequence) => record('meter-2', sequence, { stakeholder: 'sunrise-energy' }));
  await createRecordStore(client, { monotonicMs: () => 0, wallMs: () => Date.now() }).insert(fresh, 'fresh');
  const rows: LedgerRow[] = [];
  for await (const row of queries.ledger()) rows.push(row);
  assert.deepEqual(rows, [
    { endpoint: 'meter-1', stakeholder, firstSequence: 1, lastSequence: 5000, stored: 5000, duplicated: 0 },
    { endpoint: 'meter-2', stakeholder, firstSequence: 3, lastSequence: 4, stored: 2, duplicated: 0 },
    {
      endpoint: 'meter-2',
      stakeholder: 'sunrise-energy',
      firstSequence: 4,
      lastSequence: 5,
      stored: 2,
      duplicated: 0,
    },
    { endpoint: 'obu-1', stakeholder, firstSequence: 1, lastSequence: 1, stored: 1, duplicated: 0 },
  ]);
});
