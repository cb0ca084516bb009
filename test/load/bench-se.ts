/**
 * The virtual secure element on one core. `node test/load/bench-se.ts [--json] [--rounds 5] [--cards 10000]`
 *
 * The last row is that of bench-racs.ts, run as a process of its own.
 * The memory row instantiates `--cards` cards from one image each; `--expose-gc` makes it exact.
 */
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  aidBytes,
  CERTIFICATE_USAGE,
  checkPutKeyResponse,
  ecPoint,
  encodeCertificate,
  expectStatus,
  openScp11Session,
  plainLink,
  putKeysCommand,
  putPrivateKeyCommand,
  putPublicKeyCommand,
  readKeyInformation,
  selectCommand,
} from '@sefleet/globalplatform';
import type { Scp11Options } from '@sefleet/globalplatform';
import { createNodeRuntime } from '@sefleet/runtime/node';
import {
  exportCard,
  importCard,
  IotSafeClient,
  ISSUER_SECURITY_DOMAIN,
  RecordsClient,
} from '@sefleet/secure-element';
import type { SecureElement } from '@sefleet/secure-element';
import { manufacture, METERING, openDomain, randomKeys, SUPPLIER } from './se/factory.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    cards: { type: 'string', default: '10000' },
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

const ROUNDS = Number(values.rounds);
const FLEET = Number(values.cards);
const runtime = createNodeRuntime();
const { rng } = runtime;
const issuerKeys = randomKeys(rng);
const keys = randomKeys(rng);
const rotating = { card: await manufacture(rng, issuerKeys, keys, 'urn:dev:x'), keys, version: 1 };
const results: Row[] = [
  await perSecond('se-scp03-put-key', 'cards/s', 1500, 500, rotate),
  await perSecond('se-manufacture', 'cards/s', undefined, 100, async () => {
    await manufacture(rng, issuerKeys, keys, 'urn:dev:x');
  }),
  await perSecond('se-seal-record', 'records/s', 20_000, 5000, sealing(rotating.card)),
  await perSecond('se-psk-master-secret', 'operations/s', undefined, 5000, deriving(rotating.card)),
  await perSecond('se-scp11a', 'sessions/s', 300, 100, await agreeing()),
  ...(await atRest()),
  ...racsRows(),
];
runtime.close();
print();

/**
 * SCP03 at level 33, PUT KEY of three AES keys in the place of the old ones, key check values and key
 * information.
 */
async function rotate(): Promise<void> {
  const { card, version } = rotating;
  const next = randomKeys(rng);
  const newVersion = 3 - version;
  const session = await openDomain(card, SUPPLIER, rotating.keys, rng);
  const command = putKeysCommand(session, next, { oldVersion: version, newVersion });
  const { data } = await expectStatus(session, command, 'PUT KEY');
  checkPutKeyResponse(data, newVersion, [next.enc, next.mac, next.dek]);
  const held = await readKeyInformation(session);
  if (held.some((key) => key.keyVersion !== newVersion)) throw new TypeError('the old keys are still there');
  rotating.keys = next;
  rotating.version = newVersion;
}

function sealing(card: SecureElement): () => void {
  const records = new RecordsClient(card.transmit, METERING);
  let energyWh = 0;
  return () => {
    energyWh += 1;
    records.seal({
      timestampMs: 1_760_000_000_000 + energyWh,
      values: [
        [1, energyWh],
        [2, 431],
        [4, 230.1],
      ],
    });
  };
}

function deriving(card: SecureElement): () => void {
  const client = new IotSafeClient(card.transmit);
  const input = { label: 'master secret', seed: rng.bytes(64) };
  const id = Uint8Array.of(1);
  return () => {
    client.masterSecret(id, input);
  };
}

/** SCP11a with a certificate that the card verifies in every session, and one command. */
async function agreeing(): Promise<() => Promise<void>> {
  const card = await manufacture(rng, issuerKeys, keys, 'urn:dev:x');
  const pair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const [authority, host, own] = [pair(), pair(), pair()];
  const issuer = await openDomain(card, ISSUER_SECURITY_DOMAIN, issuerKeys, rng);
  const scalar = (key: KeyObject) => Buffer.from(key.export({ format: 'jwk' }).d ?? '', 'base64url');
  for (const command of [
    putPublicKeyCommand({ point: ecPoint(authority) }, { newVersion: 3, keyId: 0x10 }),
    putPrivateKeyCommand(issuer, scalar(own), { newVersion: 3, keyId: 0x11 }),
  ]) {
    await expectStatus(issuer, command, 'PUT KEY');
  }
  const certificate = encodeCertificate(
    {
      serialNumber: Uint8Array.of(1),
      authority: Uint8Array.of(0x43, 0x41),
      subject: Uint8Array.of(0x4f, 0x43, 0x45),
      usage: CERTIFICATE_USAGE.KEY_AGREEMENT,
      expiration: '20301231',
      publicKey: ecPoint(host),
    },
    authority,
  );
  const options: Scp11Options = {
    transmit: card.transmit,
    variant: 'a',
    cardPoint: ecPoint(own),
    keyVersion: 3,
    keyId: 0x11,
    host: {
      privateScalar: scalar(host),
      certificates: [certificate],
      authorityKeyVersion: 3,
      authorityKeyId: 0x10,
    },
    rng,
  };
  return async () => {
    await expectStatus(plainLink(card.transmit), selectCommand(aidBytes(ISSUER_SECURITY_DOMAIN)), 'SELECT');
    await readKeyInformation(await openScp11Session(options));
  };
}

/** Cards from images: how fast, how large the image, how much memory a card takes at rest and in use. */
async function atRest(): Promise<readonly Row[]> {
  const image = exportCard(await manufacture(rng, issuerKeys, keys, 'urn:dev:sefleet:meter-000001'));
  const before = memoryBytes();
  const started = performance.now();
  const cards = Array.from({ length: FLEET }, () => importCard(image, { rng }));
  const seconds = (performance.now() - started) / 1000;
  const parked = (memoryBytes() - before) / FLEET;
  // The list of applications needs the state, so each card reads its image.
  const entries = cards.reduce((sum, card) => sum + card.applications.length, 0);
  const inUse = (memoryBytes() - before) / FLEET;
  if (entries !== 6 * cards.length) throw new TypeError('a card has lost an application');
  const per100k = (seconds / FLEET) * 100_000;
  const row = (name: string, value: number, unit: string, goal: number): Row => ({
    name,
    subject: 'sefleet',
    value: Math.round(value * 10) / 10,
    unit,
    goal,
    better: 'lower',
    holds: value <= goal,
  });
  return [
    row('se-image', image.length, 'bytes', 2048),
    row('se-instantiate-100k', per100k, 's', 60),
    row('se-card-memory', parked, 'bytes', 6144),
    {
      name: 'se-card-memory-in-use',
      subject: 'sefleet',
      value: Math.round(inUse),
      unit: 'bytes',
      better: 'lower',
    },
  ];
}

async function perSecond(
  name: string,
  unit: string,
  goal: number | undefined,
  count: number,
  operation: () => void | Promise<void>,
): Promise<Row> {
  const rates: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const started = performance.now();
    for (let i = 0; i < count; i++) {
      const pending = operation();
      if (pending !== undefined) await pending;
    }
    // The first round warms up.
    if (round > 0) rates.push(Math.round(count / ((performance.now() - started) / 1000)));
  }
  rates.sort((a, b) => a - b);
  const value = rates[Math.floor(rates.length / 2)] ?? 0;
  const judged = goal === undefined ? {} : { goal, holds: value >= goal };
  const spread = { minimum: rates[0] ?? 0, maximum: rates.at(-1) ?? 0 };
  return { name, subject: 'sefleet', value, unit, ...judged, better: 'higher', ...spread };
}

/** RACS over mutual TLS with 10,000 elements has a program of its own, which forks its server. */
function racsRows(): readonly Row[] {
  const program = fileURLToPath(new URL('bench-racs.ts', import.meta.url));
  const options = ['--json', '--rounds', String(ROUNDS)];
  const printed = execFileSync(process.execPath, [program, ...options], { encoding: 'utf8' });
  // The benchmark's own contract, printed by a program of this folder.
  const { results: rows } = JSON.parse(printed) as { results: readonly Row[] };
  return rows;
}

function memoryBytes(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function print(): void {
  if (!values.json) {
    console.table(results);
    return;
  }
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const report = { benchmark: 'se', commit, node: process.version, cpus: cpus().length, results };
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
