/** Mosquitto's command-line client against the embedded broker. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { recordTopic } from '@sefleet/cose';
import {
  AnalyticsProcess,
  deviceCredential,
  sealed,
  sessionCredential,
  until,
} from '../../integration/analytics/analytics-process.ts';

const PEER = 'mosquitto_pub';
const skip =
  spawnSync(PEER, ['--version']).error === undefined
    ? false
    : `${PEER} is not installed (Debian: mosquitto-clients)`;

const endpoint = 'urn:dev:sefleet:obu-000001';
const topic = recordTopic({ kind: 'obu', endpoint });
let analytics: AnalyticsProcess;
let folder: string;

before(async () => {
  if (skip !== false) return;
  analytics = await AnalyticsProcess.start();
  ({ folder } = analytics);
  const device = await deviceCredential(analytics.authority(), endpoint);
  write('device.pem', device.certificatePem);
  write('device.key', device.privateKeyPem);
  const session = await sessionCredential(device, 'session');
  write('session.pem', session.cert);
  write('session.key', session.key);
});
after(async () => {
  if (skip === false) await analytics.stop();
});

function write(name: string, text: string): void {
  writeFileSync(join(folder, name), `${text}\n`);
}

function publish(on: string, record: Uint8Array, credentials: readonly string[]): Promise<number | null> {
  write('record.bin', '');
  const file = join(folder, 'record.bin');
  writeFileSync(file, record);
  const { mqttPort } = analytics.ready;
  const address = ['-h', 'localhost', '-p', `${mqttPort}`, '--cafile', join(folder, 'pki', 'ca.pem')];
  const peer = spawn(PEER, [...address, ...credentials, '-V', 'mqttv311', '-q', '1', '-t', on, '-f', file], {
    stdio: 'ignore',
    timeout: 15_000,
  });
  return new Promise((resolve) => peer.once('exit', (code) => resolve(code)));
}

const credential = (name: string): readonly string[] => [
  '--cert',
  join(folder, `${name}.pem`),
  '--key',
  join(folder, `${name}.key`),
];

async function storedRecords(): Promise<bigint> {
  return (await analytics.telemetryClient().getIngestStatistics({})).recordsStored;
}

test('mosquitto_pub is refused without a certificate', { skip }, async () => {
  const before = (await analytics.telemetryClient().getIngestStatistics({})).mqttRefused;
  assert.notEqual(await publish(topic, sealed({ endpoint, sequence: 1 }), []), 0);
  assert.equal((await analytics.telemetryClient().getIngestStatistics({})).mqttRefused, before + 1n);
});

test('mosquitto_pub publishes with a device certificate', { skip }, async () => {
  assert.equal(await publish(topic, sealed({ endpoint, sequence: 1 }), credential('device')), 0);
  await until('the record', async () => ((await storedRecords()) === 1n ? true : undefined));
});

test('mosquitto_pub publishes with a session certificate that the device signed', { skip }, async () => {
  assert.equal(await publish(topic, sealed({ endpoint, sequence: 2 }), credential('session')), 0);
  await until('the record', async () => ((await storedRecords()) === 2n ? true : undefined));
});

test('mosquitto_pub is cut off on the topic of another device', { skip }, async () => {
  const other = 'urn:dev:sefleet:obu-000002';
  const foreign = recordTopic({ kind: 'obu', endpoint: other });
  assert.notEqual(await publish(foreign, sealed({ endpoint: other, sequence: 1 }), credential('device')), 0);
  assert.equal(await storedRecords(), 2n);
});
