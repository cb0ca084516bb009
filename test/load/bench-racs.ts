/**
 * APDUs per second through a RACS server over mutual TLS: this process is the clients, a child is the server
 * with its secure elements, parked until they are powered on. `node test/load/bench-racs.ts [--json]
 * [--rounds 5] [--seconds 1] [--cards 10000] [--connections 8] [--window 16]`
 *
 * Each connection takes one card after the other: POWERON, then SELECT and GET DATA in turns, one APDU a
 * request and `--window` requests in flight, then SHUTDOWN.
 */
import { execFileSync, fork } from 'node:child_process';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { createRootAuthority, issueCertificate } from '@sefleet/pki';
import { RacsClient } from '@sefleet/racs';
import { connectStream } from '@sefleet/runtime/node';
import type { RacsReport, RacsSetUp } from './racs/protocol.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
    cards: { type: 'string', default: '10000' },
    connections: { type: 'string', default: '8' },
    window: { type: 'string', default: '16' },
  },
});

const GOAL_PER_SECOND = 3000;
/** APDUs that a client sends to a card before it goes to the next one. */
const APDUS_PER_CARD = 64;
const DAY_MS = 86_400_000;
const CONNECTIONS = Number(values.connections);
const SELECT = Uint8Array.of(0x00, 0xa4, 0x04, 0x00, 0x00);
/** The diversification data of the Issuer Security Domain, which every card has. */
const GET_DATA = Uint8Array.of(0x80, 0xca, 0x00, 0xcf, 0x00);

const setUp = await createSetUp();
const server = fork(new URL('racs/server-process.ts', import.meta.url));
try {
  server.send(setUp);
  const { port } = await message<{ port: number }>();
  const clients = await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      const { authority, client } = setUp;
      const tls = { authority, certificate: client.certificate, privateKey: client.privateKey };
      return new RacsClient(await connectStream({ address: '127.0.0.1', port }, tls));
    }),
  );
  const rates: number[] = [];
  const first = clients.map((_, i) => i);
  // The first round warms up.
  for (let round = 0; round <= Number(values.rounds); round++) {
    const rate = await measureRound(clients, first);
    if (round > 0) rates.push(Math.round(rate));
  }
  for (const client of clients) client.close();
  server.send('report');
  print(rates, await message<RacsReport>());
} finally {
  server.kill();
}

async function createSetUp(): Promise<RacsSetUp> {
  const validity = { notBefore: new Date(Date.now() - DAY_MS), notAfter: new Date(Date.now() + DAY_MS) };
  const root = await createRootAuthority('bench authority', validity.notBefore, validity.notAfter);
  const issue = async (commonName: string) => {
    const { certificatePem, privateKeyPem } = await issueCertificate(root, {
      commonName,
      organisation: 'sefleet bench',
      serverAuth: true,
      clientAuth: true,
      subjectAlternativeNames: ['127.0.0.1'],
      ...validity,
    });
    return { certificate: certificatePem, privateKey: privateKeyPem };
  };
  return {
    authority: root.certificatePem,
    server: await issue('racs-server'),
    client: await issue('racs-client'),
    cards: Number(values.cards),
  };
}

/** All clients at once; `next` holds the number of each client's next card, which goes on from round to round. */
async function measureRound(clients: readonly RacsClient[], next: number[]): Promise<number> {
  const started = performance.now();
  const deadline = started + Number(values.seconds) * 1000;
  const counts = await Promise.all(
    clients.map(async (client, i) => {
      let count = 0;
      while (performance.now() < deadline) {
        const card = next[i] ?? 0;
        next[i] = (card + CONNECTIONS) % setUp.cards;
        count += await visit(client, `card-${card}`);
      }
      return count;
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  return counts.reduce((sum, count) => sum + count, 0) / seconds;
}

async function visit(client: RacsClient, seid: string): Promise<number> {
  await client.powerOn(seid);
  let sent = 0;
  const turn = async (): Promise<void> => {
    while (sent < APDUS_PER_CARD) {
      const response = await client.transmit(seid, sent++ % 2 === 0 ? SELECT : GET_DATA);
      const status = Buffer.from(response.subarray(-2)).toString('hex');
      if (status !== '9000') throw new TypeError(`${seid} answered ${status}`);
    }
  };
  await Promise.all(Array.from({ length: Number(values.window) }, turn));
  await client.shutDown(seid);
  return sent;
}

function message<T>(): Promise<T> {
  return new Promise((resolve, reject) => {
    server.once('message', (received) => resolve(received as T)); // our own process, see racs/protocol.ts
    server.once('exit', (code) => reject(new RangeError(`the server ended with ${code}`)));
  });
}

function print(rates: number[], { cpuSeconds, rssBytes, apdus }: RacsReport): void {
  rates.sort((a, b) => a - b);
  const value = rates[Math.floor(rates.length / 2)] ?? 0;
  const spread = { minimum: rates[0] ?? 0, maximum: rates.at(-1) ?? 0 };
  const judged = { goal: GOAL_PER_SECOND, holds: value >= GOAL_PER_SECOND };
  const lower = { subject: 'sefleet', better: 'lower' };
  const results = [
    { name: 'racs-apdu', subject: 'sefleet', value, unit: 'APDUs/s', better: 'higher', ...judged, ...spread },
    { name: 'racs-server-cpu', value: Math.round((cpuSeconds / apdus) * 1e6), unit: 'us/APDU', ...lower },
    { name: 'racs-server-rss', value: Math.round(rssBytes / 1_048_576), unit: 'MiB', ...lower },
  ];
  if (!values.json) {
    console.table(results);
    return;
  }
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const head = { benchmark: 'racs', commit, node: process.version, cpus: cpus().length };
  process.stdout.write(`${JSON.stringify({ ...head, results })}\n`);
}
