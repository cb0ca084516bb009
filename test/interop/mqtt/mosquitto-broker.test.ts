/** Ingest from an MQTT 5 broker that is not ours: Mosquitto. */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect, type MqttClient } from 'mqtt';
import { encodeRecordBatch, recordTopic } from '@sefleet/cose';
import { freePort } from '../dtls/programs.ts';
import { AnalyticsProcess, next, sealed, until } from '../../integration/analytics/analytics-process.ts';

const PEER = ['mosquitto', '/usr/sbin/mosquitto'].find((name) => spawnSync(name, ['-h']).error === undefined);
const skip = PEER === undefined ? 'mosquitto is not installed (Debian: mosquitto)' : false;
const endpoint = 'urn:dev:sefleet:obu-000001';
const topic = recordTopic({ kind: 'obu', endpoint });
const RECORDS = 270;

let folder: string;
let port: number;
let broker: ChildProcess | undefined;
let analytics: AnalyticsProcess;

before(async () => {
  if (PEER === undefined) return;
  folder = mkdtempSync(join(tmpdir(), 'sefleet-mosquitto-'));
  port = await freePort();
  writeFileSync(
    join(folder, 'mosquitto.conf'),
    [
      `listener ${port} 127.0.0.1`,
      'allow_anonymous true',
      'persistence true',
      `persistence_location ${folder}/`,
      'max_inflight_messages 0',
      'max_queued_messages 0',
      'user root',
    ].join('\n'),
  );
  await startBroker(PEER);
  const environment = { SEFLEET_MQTT_URL: `mqtt://127.0.0.1:${port}` };
  analytics = await AnalyticsProcess.start({ environment });
  await until('the session', () =>
    Promise.resolve(analytics.log.includes('mqtt.connected') ? true : undefined),
  );
});
after(async () => {
  if (PEER === undefined) return;
  await analytics.stop();
  broker?.kill();
  rmSync(folder, { recursive: true, force: true });
});

async function startBroker(program: string): Promise<void> {
  broker = spawn(program, ['-c', join(folder, 'mosquitto.conf')], { stdio: 'ignore' });
  await until('the broker', async () => {
    const client = connect(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0, connectTimeout: 500 });
    client.on('error', () => {});
    const up = await Promise.race([
      next(client, 'connect').then(() => true),
      next(client, 'close').then(() => false),
    ]);
    client.end(true);
    return up ? true : undefined;
  });
}

async function publisher(): Promise<MqttClient> {
  const client = connect(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5 });
  await next(client, 'connect');
  return client;
}

async function publish(client: MqttClient, first: number, last: number): Promise<void> {
  for (let sequence = first; sequence <= last; sequence += 3) {
    const records = [sequence, sequence + 1, sequence + 2].map((number) =>
      sealed({ endpoint, sequence: number }),
    );
    await client.publishAsync(topic, Buffer.from(encodeRecordBatch(records)), { qos: 1 });
  }
}

test(
  'Mosquitto keeps what is published while analytics is killed, and each record is stored once',
  { skip },
  async () => {
    const client = await publisher();
    await publish(client, 1, RECORDS / 3);
    await analytics.kill('SIGKILL');
    await publish(client, RECORDS / 3 + 1, (2 * RECORDS) / 3);
    await analytics.launch();
    await publish(client, (2 * RECORDS) / 3 + 1, RECORDS);
    await client.endAsync();
    const row = await until('every record', async () => {
      for await (const { devices } of analytics.telemetryClient().listLedger({})) {
        const found = devices.find((device) => device.endpoint === endpoint);
        if (found?.stored === BigInt(RECORDS)) return found;
      }
      return undefined;
    });
    assert.equal(row.duplicated, 0n);
    assert.equal(row.lastSequence, BigInt(RECORDS));
  },
);
