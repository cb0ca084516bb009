/**
 * DTLS between two processes on loopback: full handshakes, idle sessions, a restart, new addresses.
 * `node test/load/bench-dtls.ts [--json] [--rounds 5] [--seconds 2] [--window 32] [--fleet 5000]`
 */
import { execFileSync, fork, type ChildProcess } from 'node:child_process';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { createRootAuthority, issueCertificate } from '@sefleet/pki';
import type {
  ClientOrder,
  Credentials,
  DtlsSubject,
  HandshakeKind,
  HandshakeRound,
  ServerReport,
  TransferReport,
} from './dtls/protocol.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    window: { type: 'string', default: '32' },
    fleet: { type: 'string', default: '5000' },
  },
});

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

const GOAL_PSK_PER_SECOND = 1500;
const GOAL_ECDHE_PER_SECOND = 600;
const GOAL_HEAP_BYTES = 4096;
const GOAL_TRANSFER_MS = 1000;
const GOAL_EXPORT_BYTES = 512;
/** Of resident memory for the fleet that the goal is about. */
const GOAL_FLEET = 50_000;
const GOAL_FLEET_MIB = 300;

const credentials = await makeCredentials();
const results: Row[] = [
  ...(await handshakes('dtls-psk-handshake', 'psk', 'sefleet', GOAL_PSK_PER_SECOND)),
  ...(await handshakes('dtls-psk-handshake', 'psk', 'node-dtls-client')),
  ...(await handshakes('dtls-ecdhe-mutual-handshake', 'ecdhe', 'sefleet', GOAL_ECDHE_PER_SECOND)),
  ...(await records('node:crypto')),
  ...(await records('node:ffi')),
  ...(await fleet()),
];
print(results);

async function handshakes(
  name: string,
  kind: HandshakeKind,
  subject: DtlsSubject,
  goal?: number,
): Promise<readonly Row[]> {
  const { server, port } = await startServer();
  const order = { job: 'handshakes', subject, kind, port, size: Number(values.window) } as const;
  const client = startClient({ ...order, rounds: Number(values.rounds), seconds: Number(values.seconds) });
  const rounds = await message<HandshakeRound[]>(client);
  server.send('report');
  const report = await message<ServerReport>(server);
  server.kill();
  const rates = rounds.map((round) => round.handshakes / round.seconds);
  const value = Math.round(median(rates));
  const sum = (of: (round: HandshakeRound) => number): number =>
    rounds.reduce((total, round) => total + of(round), 0);
  const count = Math.max(
    1,
    sum((round) => round.handshakes),
  );
  const row = (suffix: string, amount: number, unit: string): Row => {
    return { name: `${name}-${suffix}`, subject, value: Math.round(amount), unit, better: 'lower' };
  };
  const spread = { minimum: Math.round(Math.min(...rates)), maximum: Math.round(Math.max(...rates)) };
  const target = goal === undefined ? {} : { goal, holds: value >= goal };
  return [
    { name, subject, value, unit: 'handshakes/s', better: 'higher', ...target, ...spread },
    row('p50', median(rounds.map((round) => round.p50)), 'us'),
    row('p99', median(rounds.map((round) => round.p99)), 'us'),
    row('client-cpu', (sum((round) => round.cpuSeconds) / count) * 1e6, 'us/handshake'),
    row('server-cpu', (report.cpuSeconds / count) * 1e6, 'us/handshake'),
    row(
      'failed',
      sum((round) => round.failed),
      'handshakes',
    ),
  ];
}

/** A record sealed and opened again, by each implementation of the cipher. */
async function records(subject: 'node:crypto' | 'node:ffi'): Promise<readonly Row[]> {
  const isFfi = subject === 'node:ffi';
  const rounds = Number(values.rounds) + 1;
  const child = fork(
    new URL('./dtls/records-process.ts', import.meta.url),
    [isFfi ? 'ffi' : 'node', String(rounds)],
    {
      execArgv: isFfi ? ['--experimental-ffi', '--no-warnings'] : [],
    },
  );
  // The first round warms up.
  const micros = (await message<number[]>(child)).slice(1).map((value) => Math.round(value * 100) / 100);
  const spread = { minimum: Math.min(...micros), maximum: Math.max(...micros) };
  return [
    { name: 'dtls-record-seal-open', subject, value: median(micros), unit: 'us', better: 'lower', ...spread },
  ];
}

/** Sessions at rest, a restart in between, and all of them from new addresses afterwards. */
async function fleet(): Promise<readonly Row[]> {
  const size = Number(values.fleet);
  const { server, port } = await startServer();
  const before = await ask<ServerReport>(server, 'report');
  const order = { job: 'fleet', subject: 'sefleet', kind: 'psk', port, size, rounds: 1, seconds: 1 } as const;
  const client = startClient(order);
  await message(client);
  // Handshakes that sent the last flight are kept for two minutes at the most; what rests is measured after
  // them.
  const after = await ask<ServerReport>(server, 'report');
  const transfer = await ask<TransferReport>(server, 'transfer');
  const rested = await ask<ServerReport>(server, 'report');
  client.send('move');
  const moved = await message<{ sessions: number; survived: number }>(client);
  const end = await ask<ServerReport>(server, 'report');
  server.kill();
  const heap = (report: ServerReport): number =>
    (report.heapBytes + report.externalBytes - before.heapBytes - before.externalBytes) / size;
  const rss = (rested.rssBytes - before.rssBytes) / size;
  const row = (name: string, value: number, unit: string, goal?: number): Row => {
    const target = goal === undefined ? {} : { goal, holds: value <= goal };
    return {
      name,
      subject: 'sefleet',
      value: Math.round(value * 100) / 100,
      unit,
      better: 'lower',
      ...target,
    };
  };
  const per10k = (transfer.milliseconds / transfer.sessions) * 10_000;
  const survival = moved.survived / size;
  return [
    row('dtls-session-heap', heap(rested), 'bytes/session', GOAL_HEAP_BYTES),
    row('dtls-session-heap-fresh', heap(after), 'bytes/session, last flight still kept'),
    row('dtls-session-rss', rss, 'bytes/session'),
    row(
      'dtls-fleet-rss',
      after.rssBytes / 1_048_576,
      `MiB with ${size} sessions`,
      size === GOAL_FLEET ? GOAL_FLEET_MIB : undefined,
    ),
    row('dtls-session-export-import', per10k, 'ms for 10,000', GOAL_TRANSFER_MS),
    row('dtls-session-export-size', transfer.bytes / transfer.sessions, 'bytes/session', GOAL_EXPORT_BYTES),
    {
      ...row('dtls-nat-rebinding', survival * 100, '% of sessions survive'),
      better: 'higher',
      goal: 100,
      holds: survival === 1,
    },
    row('dtls-nat-rebinding-handshakes', end.handshakes, 'new handshakes', 0),
    { ...row('dtls-nat-rebinding-moves', end.addressChanges, 'addresses changed'), better: 'higher' },
  ];
}

async function startServer(): Promise<{ server: ChildProcess; port: number }> {
  const args = [JSON.stringify(credentials)];
  const server = fork(new URL('./dtls/server-process.ts', import.meta.url), args, {
    execArgv: ['--expose-gc'],
  });
  const { port } = await message<{ port: number }>(server);
  return { server, port };
}

function startClient(order: Omit<ClientOrder, 'credentials'>): ChildProcess {
  return fork(new URL('./dtls/client-process.ts', import.meta.url), [
    JSON.stringify({ ...order, credentials }),
  ]);
}

function ask<T>(child: ChildProcess, order: string): Promise<T> {
  child.send(order);
  return message<T>(child);
}

function message<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once('message', (received) => resolve(received as T)); // our own processes, see dtls/protocol.ts
    child.once('exit', (code) => reject(new RangeError(`the process ended with ${code}`)));
  });
}

async function makeCredentials(): Promise<Credentials> {
  const notBefore = new Date(Date.now() - 3_600_000);
  const notAfter = new Date(Date.now() + 86_400_000);
  const root = await createRootAuthority('Bench CA', notBefore, notAfter);
  const server = await issueCertificate(root, {
    commonName: 'server',
    subjectAlternativeNames: ['localhost'],
    serverAuth: true,
    notBefore,
    notAfter,
  });
  const client = await issueCertificate(root, {
    commonName: 'client',
    clientAuth: true,
    notBefore,
    notAfter,
  });
  return { authority: root.certificatePem, server, client };
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

function print(rows: readonly Row[]): void {
  if (values.json) {
    const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
    const head = { benchmark: 'dtls', commit, node: process.version, cpus: cpus().length };
    console.log(JSON.stringify({ ...head, results: rows }, null, 2));
    return;
  }
  for (const { name, subject, value, unit, goal, holds, minimum, maximum } of rows) {
    const spread = minimum === undefined ? '' : ` (${minimum} to ${maximum})`;
    const target = goal === undefined ? '' : `  goal ${goal}: ${holds === true ? 'holds' : 'missed'}`;
    console.log(
      `${name.padEnd(38)} ${subject.padEnd(17)} ${String(value).padStart(10)} ${unit}${spread}${target}`,
    );
  }
}
