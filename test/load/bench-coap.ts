/**
 * Confirmable GETs between two processes on loopback, one subject after the other in the same run: sefleet's
 * endpoint on UDP, on UDP in batches and on DTLS, node-coap, and a raw dgram echo.
 * `node test/load/bench-coap.ts [--json] [--rounds 5] [--seconds 2] [--window 64] [--clients 2000] [--subject
 * NAME]...` Over DTLS each client has a session, a socket and an endpoint of its own.
 */
import { execFileSync, fork } from 'node:child_process';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import type { ClientRound, CoapSubject, ServerReport } from './coap/protocol.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    window: { type: 'string', default: '64' },
    clients: { type: 'string', default: '2000' },
    subject: {
      type: 'string',
      multiple: true,
      default: ['sefleet', 'sefleet ffi', 'sefleet coaps', 'node-coap', 'dgram echo'],
    },
  },
});

/** Requests per second, and the ratio to node-coap in the same run. */
const GOAL_PER_SECOND = 20_000;
const GOAL_SECURED_PER_SECOND = 12_000;
const GOAL_RATIO = 3.5;
const GOAL_DEDUPLICATION_BYTES = 64 * 1_048_576;

interface Row {
  readonly name: string;
  readonly subject: string;
  readonly value: number;
  readonly unit: string;
  readonly goal?: number;
  readonly better: 'higher' | 'lower';
  readonly holds?: boolean;
  readonly minimum?: number;
  readonly maximum?: number;
}

interface Measured {
  readonly subject: CoapSubject;
  readonly rounds: readonly ClientRound[];
  readonly server: ServerReport;
}

const subjects = values.subject as CoapSubject[]; // another text measures sefleet
const measured: Measured[] = [];
for (const subject of subjects) measured.push(await measure(subject));
const results = measured.flatMap(rowsOf);
const ours = measured.find(({ subject }) => subject === 'sefleet');
const theirs = measured.find(({ subject }) => subject === 'node-coap');
if (ours !== undefined && theirs !== undefined) {
  const value = round(median(rates(ours)) / median(rates(theirs)), 2);
  const name = 'coap-con-get-ratio';
  const holds = value >= GOAL_RATIO;
  results.push({
    name,
    subject: 'sefleet',
    value,
    unit: 'x node-coap',
    goal: GOAL_RATIO,
    better: 'higher',
    holds,
  });
}
print(results);

async function measure(subject: CoapSubject): Promise<Measured> {
  const execArgv = subject === 'sefleet ffi' ? ['--no-warnings'] : [];
  const server = fork(new URL('./coap/server-process.ts', import.meta.url), [subject], { execArgv });
  try {
    const { port } = await message<{ port: number }>(server);
    const workers = subject === 'sefleet coaps' ? values.clients : values.window;
    const args = [subject, String(port), values.rounds, values.seconds, workers];
    const client = fork(new URL('./coap/client-process.ts', import.meta.url), args, { execArgv });
    const rounds = await message<ClientRound[]>(client);
    server.send('report');
    return { subject, rounds, server: await message<ServerReport>(server) };
  } finally {
    server.kill();
  }
}

function message<T>(child: ReturnType<typeof fork>): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once('message', (received) => resolve(received as T)); // our own processes, see coap/protocol.ts
    child.once('exit', (code) => reject(new RangeError(`the process ended with ${code}`)));
  });
}

function rowsOf({ subject, rounds, server }: Measured): Row[] {
  const perSecond = rates({ rounds });
  const value = Math.round(median(perSecond));
  const secured = subject === 'sefleet coaps';
  const asked = secured ? GOAL_SECURED_PER_SECOND : GOAL_PER_SECOND;
  const ours = subject === 'sefleet' || secured;
  const goal = ours ? { goal: asked, holds: value >= asked } : {};
  const label = secured ? 'sefleet' : subject;
  const series = secured ? 'coaps-psk-ccm8-get' : 'coap-con-get';
  const spread = { minimum: Math.round(Math.min(...perSecond)), maximum: Math.round(Math.max(...perSecond)) };
  const row = (name: string, amount: number, unit: string): Row => ({
    name: `${series}-${name}`,
    subject: label,
    value: round(amount, 2),
    unit,
    better: 'lower',
  });
  const requests = rounds.reduce((sum, one) => sum + one.requests, 0);
  const clientCpu = rounds.reduce((sum, one) => sum + one.cpuSeconds, 0);
  const rows: Row[] = [
    {
      name: series,
      subject: label,
      value,
      unit: 'requests/s',
      better: 'higher',
      ...goal,
      ...spread,
    },
    row('p50', median(rounds.map((one) => one.p50)), 'us'),
    row('p99', median(rounds.map((one) => one.p99)), 'us'),
    row('client-cpu', (clientCpu / requests) * 1e6, 'us/request'),
    row('server-cpu', (server.cpuSeconds / requests) * 1e6, 'us/request'),
    row('server-rss', server.rssBytes / 1_048_576, 'MiB'),
    row(
      'failed',
      rounds.reduce((sum, one) => sum + one.failed, 0),
      'requests',
    ),
  ];
  if (!ours) return rows;
  const holds = server.deduplicationBytes <= GOAL_DEDUPLICATION_BYTES;
  const deduplication = row('deduplication', server.deduplicationBytes / 1_048_576, 'MiB');
  return [...rows, { ...deduplication, goal: 64, holds }];
}

function rates({ rounds }: Pick<Measured, 'rounds'>): number[] {
  return rounds.map(({ requests, seconds }) => requests / seconds);
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

function round(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}

function print(rows: readonly Row[]): void {
  if (values.json) {
    const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
    const head = { benchmark: 'coap', commit, node: process.version, cpus: cpus().length };
    console.log(JSON.stringify({ ...head, results: rows }, null, 2));
    return;
  }
  for (const { name, subject, value, unit, goal, holds, minimum, maximum } of rows) {
    const spread = minimum === undefined ? '' : ` (${minimum} to ${maximum})`;
    const target = goal === undefined ? '' : `  goal ${goal}: ${holds === true ? 'holds' : 'missed'}`;
    console.log(
      `${name.padEnd(28)} ${subject.padEnd(12)} ${String(value).padStart(10)} ${unit}${spread}${target}`,
    );
  }
}
