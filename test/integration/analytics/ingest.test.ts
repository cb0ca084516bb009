import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import type { IClientOptions, MqttClient } from 'mqtt';
import { generate, type Packet } from 'mqtt-packet';
import { encodeRecordBatch, recordTopic } from '@sefleet/cose';
import {
  AnalyticsProcess,
  deviceCredential,
  next,
  sealed,
  sessionCredential,
  until,
} from './analytics-process.ts';

const endpoint = 'urn:dev:sefleet:obu-000001';
const topic = recordTopic({ kind: 'obu', endpoint });
const CONNECT = {
  cmd: 'connect',
  protocolId: 'MQTT',
  protocolVersion: 4,
  clean: false,
  keepalive: 5,
} as const;
function publishOn(on: string, qos: 0 | 1 | 2): Packet {
  return { cmd: 'publish', topic: on, payload: Buffer.alloc(9), qos, messageId: 1, retain: true, dup: true };
}
const HOSTILE_PACKETS: readonly Packet[] = [
  publishOn(topic, 2),
  publishOn('/'.repeat(300), 1),
  publishOn('$SYS/x', 0),
  { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'constructor', qos: 2 }] },
  { cmd: 'unsubscribe', messageId: 1, unsubscriptions: ['__proto__'] },
  { cmd: 'pubrel', messageId: 1 },
  { cmd: 'pubrec', messageId: 1 },
  { ...CONNECT, clientId: 'again' },
  { cmd: 'connack', returnCode: 0, sessionPresent: true },
];
let analytics: AnalyticsProcess;
let device: { cert: string; key: string };

before(async () => {
  analytics = await AnalyticsProcess.start();
  device = await sessionCredential(await deviceCredential(analytics.authority(), endpoint), 'session');
});
after(() => analytics.stop());

async function connected(options: IClientOptions): Promise<MqttClient> {
  const client = analytics.mqtt(options);
  await next(client, 'connect');
  return client;
}

async function stored(
  name: string,
): Promise<{ stored: number; last: number; duplicated: number } | undefined> {
  for await (const { devices } of analytics.telemetryClient().listLedger({})) {
    const found = devices.find((candidate) => candidate.endpoint === name);
    if (found === undefined) continue;
    const { stored: count, lastSequence, duplicated } = found;
    return { stored: Number(count), last: Number(lastSequence), duplicated: Number(duplicated) };
  }
  return undefined;
}

test('stores what a device with a session certificate publishes, each record once', async () => {
  const client = await connected(device);
  const batch = encodeRecordBatch([1, 2, 3].map((sequence) => sealed({ endpoint, sequence })));
  await client.publishAsync(topic, Buffer.from(batch), { qos: 1 });
  await client.publishAsync(topic, Buffer.from(batch), { qos: 1 });
  await client.publishAsync(topic, Buffer.from(sealed({ endpoint, sequence: 4 })), { qos: 1 });
  await until('four records', async () => ((await stored(endpoint))?.stored === 4 ? true : undefined));
  assert.deepEqual(await stored(endpoint), { stored: 4, last: 4, duplicated: 0 });
  const statistics = await analytics.telemetryClient().getIngestStatistics({});
  assert.equal(statistics.duplicatesDropped, 3n);
  assert.equal(statistics.recordsStored, 4n);
  await client.endAsync();
});

test('answers for the readings over gRPC while every other service is absent', async () => {
  const client = analytics.fleetClient();
  const { readings } = await client.queryTelemetry({ endpoint });
  assert.equal(readings.length, 4);
  assert.deepEqual([readings[0]?.metric, readings[0]?.unit, readings[0]?.value], ['speedKmh', 'km/h', 50]);
  const { state } = await client.getFleetState({});
  assert.equal(state?.telemetry?.stored, 4n);
  assert.ok(state?.unavailable.some((line) => line.startsWith('lwm2m-server')));
  const { devices, total } = await client.listDevices({ search: 'obu' });
  assert.equal(total, 1n);
  assert.equal(devices[0]?.endpoint, endpoint);
  const detail = await client.getDevice({ endpoint });
  assert.equal(detail.lastReadings[0]?.metric, 'speedKmh');
  await assert.rejects(client.getDevice({ endpoint: 'nobody' }), { code: 'ANALYTICS_DEVICE_NOT_FOUND' });
  await assert.rejects(client.queryTelemetry({ endpoint, maxPoints: 10_001 }), {
    code: 'ANALYTICS_REQUEST_INVALID',
  });
});

test('sends snapshots of the state until the reader goes', async () => {
  const abort = new AbortController();
  let seen = 0;
  for await (const { state } of analytics
    .fleetClient()
    .watchFleetState({ intervalMs: 100 }, { signal: abort.signal })) {
    assert.ok(state?.asOf);
    if (++seen === 3) abort.abort();
  }
  assert.ok(seen >= 3);
});

test('counts and keeps what cannot be opened, and goes on', async () => {
  const client = await connected(device);
  const good = sealed({ endpoint, sequence: 5 });
  const tampered = Uint8Array.from(good);
  tampered[tampered.length - 1] = (tampered.at(-1) ?? 0) ^ 1;
  const bad = [
    Buffer.from('not CBOR at all'),
    Buffer.from(tampered),
    Buffer.from(sealed({ endpoint: 'urn:dev:sefleet:obu-000002', sequence: 5 })),
    Buffer.from(sealed({ endpoint, sequence: 5, keyVersion: 9 })),
  ];
  for (const payload of bad) await client.publishAsync(topic, payload, { qos: 1 });
  await client.publishAsync(topic, Buffer.from(good), { qos: 1 });
  await until('the good record', async () => ((await stored(endpoint))?.last === 5 ? true : undefined));
  await until('the dead letters', async () => {
    const { rejected } = await analytics.telemetryClient().getIngestStatistics({});
    return rejected === 4n ? true : undefined;
  });
  const reasons = await until('their reasons', async () => {
    const { state } = await analytics.fleetClient().getFleetState({});
    const counters =
      state?.counters.filter(({ name }) => name.startsWith('analytics.ingest.rejected.')) ?? [];
    const byReason = counters.map(({ name, value }) => [name.split('.').at(-1), Number(value)] as const);
    return byReason.length === 3 ? Object.fromEntries(byReason) : undefined;
  });
  assert.deepEqual(reasons, { batch: 1, authentication: 2, unknownKey: 1 });
  await client.endAsync();
});

test('cuts off a device that publishes for another one', async () => {
  const client = await connected(device);
  const closed = next(client, 'close');
  const other = 'urn:dev:sefleet:obu-000002';
  client.publish(
    recordTopic({ kind: 'obu', endpoint: other }),
    Buffer.from(sealed({ endpoint: other, sequence: 1 })),
    {
      qos: 1,
    },
  );
  await closed;
  assert.equal(await stored(other), undefined);
});

test('lets a device subscribe to nothing but what is meant for it', async () => {
  const client = await connected(device);
  // mqtt.js rejects when a filter was refused with 0x80.
  await assert.rejects(client.subscribeAsync('sefleet/v1/+/+/records', { qos: 1 }));
  await assert.rejects(client.subscribeAsync('#', { qos: 1 }));
  const own = `sefleet/v1/obu/${endpoint}/commands`;
  assert.deepEqual(await client.subscribeAsync(own, { qos: 1 }), [{ topic: own, qos: 1 }]);
  await client.endAsync();
});

test('believes the device certificate, not what the session certificate claims', async () => {
  const impostor = await sessionCredential(
    await deviceCredential(analytics.authority(), 'urn:dev:sefleet:obu-000009'),
    endpoint,
    'sefleet service',
  );
  const client = await connected(impostor);
  const closed = next(client, 'close');
  client.publish(topic, Buffer.from(sealed({ endpoint, sequence: 99 })), { qos: 1 });
  await closed;
  assert.equal((await stored(endpoint))?.last, 5);
});

test('takes records of any device from a service', async () => {
  const { certificate, privateKey } = analytics.tls('lwm2m-server');
  const client = await connected({ cert: certificate, key: privateKey });
  const meter = 'urn:dev:sefleet:meter-000001';
  await client.publishAsync(
    recordTopic({ kind: 'smart-meter', endpoint: meter }),
    Buffer.from(
      sealed({
        endpoint: meter,
        sequence: 1,
        values: [
          [1, 100],
          [2, 230.5],
        ],
      }),
    ),
    { qos: 1 },
  );
  await until('the meter', async () => ((await stored(meter))?.stored === 1 ? true : undefined));
  await client.endAsync();
});

test('refuses a client without a certificate, and one of another authority', async () => {
  const before = (await analytics.telemetryClient().getIngestStatistics({})).mqttRefused;
  const strangers = await AnalyticsProcess.start();
  try {
    const stranger = await sessionCredential(
      await deviceCredential(strangers.authority(), endpoint),
      'session',
    );
    for (const options of [{}, stranger]) {
      const client = analytics.mqtt(options);
      client.on('error', () => {});
      await next(client, 'close');
      assert.equal(client.connected, false);
    }
  } finally {
    await strangers.stop();
  }
  const { mqttRefused } = await analytics.telemetryClient().getIngestStatistics({});
  assert.equal(mqttRefused, before + 2n);
});

test('cuts off a client that announces a packet beyond the limit', async () => {
  const client = await connected(device);
  const closed = next(client, 'close');
  client.on('error', () => {});
  client.publish(topic, Buffer.alloc(300_000), { qos: 1 });
  await closed;
});

test('outlives whatever a client with a certificate sends', async () => {
  const random = new Uint8Array(4096);
  const { authority } = analytics.tls();
  for (let round = 0; round < 60; round++) {
    crypto.getRandomValues(random);
    // Half of them after a proper CONNECT, so that the bytes reach the handlers behind it.
    const hello = round % 2 === 0 ? [generate({ ...CONNECT, clientId: `c${round}` })] : [];
    const hostile = HOSTILE_PACKETS[round % HOSTILE_PACKETS.length];
    const packets = hostile === undefined ? [] : [generate(hostile)];
    await new Promise<void>((resolve) => {
      const socket = connectTls({
        host: 'localhost',
        port: analytics.ready.mqttPort,
        ca: authority,
        ...device,
      });
      socket.once('secureConnect', () => {
        for (const data of [...hello, ...packets, random.subarray(0, round * 60)]) socket.write(data);
        socket.end();
      });
      socket.on('data', () => {});
      socket.on('error', () => {});
      socket.once('close', () => resolve());
    });
  }
  assert.equal((await stored(endpoint))?.last, 5);
});

test('stops cleanly and names a port that is taken', async () => {
  const port = `${analytics.ready.mqttPort}`;
  await assert.rejects(
    AnalyticsProcess.start({ environment: { SEFLEET_MQTT_PORT: port } }),
    /ended with 3.*SEFLEET_MQTT_PORT/s,
  );
  assert.equal(await analytics.kill('SIGTERM'), 0);
});
