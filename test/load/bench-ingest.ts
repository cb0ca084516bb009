/**
 * Telemetry from MQTT to ClickHouse. `node test/load/bench-ingest.ts [--json] [--rounds 5] [--records 40000]`
 *
 * `ingest-rows`: one process opens sealed records and stores them, a row each, with the embedded ClickHouse;
 * beside it the same rows inserted without being opened, which is what ClickHouse alone takes. `mqtt-qos1`:
 * the service as it runs, and clients in this process that publish at QoS 1 over mutual TLS, 32
 * unacknowledged each; every message is one sealed record, on disk before it is acknowledged and in
 * ClickHouse at the end of the round.
 */
import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { ingestRows, insertRows } from './ingest/ingest-rows.ts';
import { startPublishers } from './ingest/publishers.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    records: { type: 'string', default: '40000' },
  },
});

interface Row {
  readonly name: string;
  readonly subject: string;
  readonly value: number;
  readonly unit: string;
  readonly better: 'higher' | 'lower';
  readonly minimum: number;
  readonly maximum: number;
}

const ROUNDS = Number(values.rounds);
const RECORDS = Number(values.records);
const MESSAGES = Math.max(1000, Math.round(RECORDS / 4));

const results: Row[] = [];
const opened = await ingestRows(RECORDS);
results.push(await measured('ingest-rows', 'sefleet', 'records/s', () => opened.round()));
await opened.close();
const inserted = await insertRows(RECORDS);
results.push(await measured('ingest-rows', 'ClickHouse alone', 'records/s', () => inserted.round()));
await inserted.close();
const publishers = await startPublishers(20);
results.push(await measured('mqtt-qos1', 'sefleet', 'messages/s', () => publishers.round(MESSAGES)));
const latencies = publishers.latenciesMs().toSorted((a, b) => a - b);
for (const [name, share] of [
  ['mqtt-qos1-acknowledge-p50', 0.5],
  ['mqtt-qos1-acknowledge-p99', 0.99],
] as const) {
  const value = round1(latencies[Math.floor(share * (latencies.length - 1))] ?? 0);
  const spread = { minimum: round1(latencies[0] ?? 0), maximum: round1(latencies.at(-1) ?? 0) };
  results.push({ name, subject: 'sefleet', value, unit: 'ms', better: 'lower', ...spread });
}
await publishers.close();
print();

/** The median of the rounds; the first one warms up. */
async function measured(
  name: string,
  subject: string,
  unit: string,
  round: () => Promise<number>,
): Promise<Row> {
  const rates: number[] = [];
  for (let at = 0; at <= ROUNDS; at++) {
    const perSecond = await round();
    if (at > 0) rates.push(Math.round(perSecond));
  }
  rates.sort((a, b) => a - b);
  const value = rates[Math.floor(rates.length / 2)] ?? 0;
  const spread = { minimum: rates[0] ?? 0, maximum: rates.at(-1) ?? 0 };
  return { name, subject, value, unit, better: 'higher', ...spread };
}

function round1(value: number): number {
  return Math.round(value * 10) / 10;
}

function print(): void {
  if (!values.json) {
    console.table(results);
    return;
  }
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const report = { benchmark: 'ingest', commit, node: process.version, cpus: cpus().length, results };
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
