import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { common } from '@sefleet/api';
import { createEventLog } from '@sefleet/observability';
import { issueCertificate } from '@sefleet/pki';
import type { StreamListener } from '@sefleet/runtime';
import { createNodeRuntime } from '@sefleet/runtime/node';
import { ensureLocalPki, readTlsFiles } from '@sefleet/service';
import type { BenchCard, CardDirectory } from './card-directory.ts';
import { startRacsDoor } from './racs-door.ts';
import { Visitors } from './visitors.ts';

const CAR = 'urn:dev:sefleet:obu-000001';
const METER = 'urn:dev:sefleet:meter-000001';
const folder = mkdtempSync(join(tmpdir(), 'sefleet-racs-'));
const visitors = new Visitors();
const runtime = createNodeRuntime();
const lines: string[] = [];
let door: StreamListener;

interface Identity {
  readonly cert: string;
  readonly key: string;
}

/** Cards that say 9000 to everything. */
function benchCard(endpoint: string): BenchCard {
  const nothing = (): never => assert.fail('not over RACS');
  return {
    endpoint,
    kind: common.DeviceKind.OBU,
    revision: 0,
    applications: [],
    describe: nothing,
    transmit: () => Uint8Array.of(0x90, 0x00),
    reset: () => undefined,
    watch: nothing,
    image: nothing,
    replace: nothing,
  };
}

const cards: CardDirectory = {
  endpoints: () => [METER, CAR],
  find: (endpoint) => ([METER, CAR].includes(endpoint) ? benchCard(endpoint) : undefined),
};

function startDoor(tablesFile = '', silenceMs = 60_000): Promise<StreamListener> {
  return startRacsDoor({
    address: '127.0.0.1',
    port: 0,
    tablesFile,
    tls: readTlsFiles(folder, 'device-sim'),
    cards,
    visitors,
    runtime,
    silenceMs,
    log: createEventLog({
      service: 'device-sim',
      level: 'info',
      destination: { write: (line) => void lines.push(line) },
    }),
  });
}

before(async () => {
  await ensureLocalPki(folder, ['device-sim', 'cli', 'northern-power']);
  door = await startDoor();
});

after(async () => {
  await door.close();
  runtime.close();
  rmSync(folder, { recursive: true });
});

function service(name: string): Identity {
  const { certificate, privateKey } = readTlsFiles(folder, name);
  return { cert: certificate.toString(), key: privateKey.toString() };
}

/** What a device gets: a name, and no organisation of services. */
async function device(commonName: string): Promise<Identity> {
  const read = (file: string): string => readFileSync(join(folder, file), 'utf8');
  const authority = { certificatePem: read('ca.pem'), privateKeyPem: read('ca.key') };
  const dayMs = 86_400_000;
  const validity = { notBefore: new Date(Date.now() - dayMs), notAfter: new Date(Date.now() + dayMs) };
  const issued = await issueCertificate(authority, { commonName, ...validity, clientAuth: true });
  return { cert: issued.certificatePem, key: issued.privateKeyPem };
}

function dial(identity: Identity, listener = door): TLSSocket {
  const { port } = listener.localAddress();
  const ca = readFileSync(join(folder, 'ca.pem'));
  const socket = connect({ host: '127.0.0.1', port, ca, servername: 'localhost', ...identity });
  socket.on('error', () => undefined);
  return socket;
}

/** The answer to one request; empty when the server hangs up. */
async function ask(identity: Identity, request: readonly string[], at = door): Promise<string> {
  const socket = dial(identity, at);
  socket.write(['BEGIN x', ...request, 'END', ''].join('\r\n'));
  let said = '';
  for await (const chunk of socket) {
    said += String(chunk);
    if (said.endsWith('END\r\n')) break;
  }
  socket.destroy();
  return said;
}

test('without tables the command sees every card, a device its own, a party none', async () => {
  assert.ok((await ask(service('cli'), ['LIST'])).includes(`+004 001 ${METER} ${CAR}\r\n`));
  assert.ok((await ask(await device(CAR), ['LIST'])).includes(`+004 001 ${CAR}\r\n`));
  assert.match(await ask(await device(CAR), [`POWERON ${METER}`]), /\r\n-608 001 /u);
  assert.match(await ask(service('northern-power'), ['LIST']), /\+004 001 ?\r\n/u);
});

test('a device that calls itself like the command is sent away', async () => {
  assert.equal(await ask(await device('cli'), ['LIST']), '');
  assert.ok(lines.some((line) => line.includes('racs.clientRefused')));
});

test('what a session did is logged, and what it asked of a card is not', async () => {
  await ask(service('cli'), [`POWERON ${CAR}`, `APDU ${CAR} 80E2900003AABBCC`, 'NONSENSE']);
  const isOver = (line: string): boolean =>
    line.includes('racs.sessionEnded') && /"commonName":"cli".*"refused":1/u.test(line);
  while (!lines.some(isOver)) await new Promise((resolve) => setImmediate(resolve));
  assert.match(lines.find(isOver) ?? '', /"commands":3/u);
  assert.ok(!lines.join('').toUpperCase().includes('80E2900003'));
  // The card is free again, for other doors too.
  visitors.enter(CAR, {});
  visitors.leave(CAR, {});
});

test('a client that is gone without a word, and one that never reads, are cut off and leave nothing', async () => {
  const quick = await startDoor('', 1000);
  try {
    const dead = dial(service('cli'), quick);
    dead.write(`BEGIN x\r\nPOWERON ${METER}\r\n`);
    const greedy = dial(service('cli'), quick);
    greedy.pause();
    const large = `ECHO ${'x'.repeat(100_000)} APPEND\r\n`;
    greedy.write(`BEGIN x\r\n${large.repeat(8)}END\r\n`.repeat(4));
    dead.resume();
    await once(dead, 'close');
    await assert.doesNotReject(ask(service('cli'), [`POWERON ${METER}`], quick));
    greedy.resume();
    if (!greedy.destroyed) await once(greedy, 'close');
  } finally {
    await quick.close();
  }
});

test('a tables file narrows who may what, and one that is not wholly understood stops the start', async () => {
  const file = join(folder, 'tables.json');
  writeFileSync(file, JSON.stringify({ users: { 'northern-power': [METER] } }));
  const narrow = await startDoor(file);
  try {
    assert.ok((await ask(service('northern-power'), ['LIST'], narrow)).includes(`+004 001 ${METER}\r\n`));
    assert.match(await ask(service('cli'), ['LIST'], narrow), /\+004 001 ?\r\n/u);
  } finally {
    await narrow.close();
  }
  for (const tables of [
    '[]',
    '{"user": {}}',
    '{"users": {"a": "meter"}}',
    '{"users": {}, "application": {}}',
    '{"users": {}, "applications": {"*": {"A0zz": ["a"]}}}',
    '{"users": {}, "denied": [{"mask": "FF", "prefix": "80D8"}]}',
    '{"users": {}, "denied": [{"mask": "", "prefix": ""}]}',
    'no JSON',
  ]) {
    writeFileSync(file, tables);
    await assert.rejects(startDoor(file), { code: 'SIM_RACS_TABLES' }, tables);
  }
});
