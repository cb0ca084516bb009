import assert from 'node:assert/strict';
import { createPrivateKey, sign, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { recordTopic } from '@sefleet/cose';
import { createEventLog } from '@sefleet/observability';
import { createRootAuthority, issueCertificate, type Credential } from '@sefleet/pki';
import { createNodeRuntime } from '@sefleet/runtime/node';
import { startBroker, type Broker } from '../../../services/analytics/src/adapters/mqtt/broker.ts';
import { Gate } from '../../../services/device-sim/src/fleet/gate.ts';
import { MqttCarrier } from '../../../services/device-sim/src/telemetry/mqtt-carrier.ts';
import { createSessionCredential } from '../../../services/device-sim/src/telemetry/session-certificate.ts';

const ENDPOINT = 'urn:dev:sefleet:obu-000001';
const DAY_MS = 86_400_000;
const validity = { notBefore: new Date(Date.now() - DAY_MS), notAfter: new Date(Date.now() + DAY_MS) };

const runtime = createNodeRuntime();
const folder = mkdtempSync(join(tmpdir(), 'sefleet-mqtt-'));
const kept: { topic: string; payload: Uint8Array }[] = [];
let root: Credential;
let broker: Broker;
let brokerCredential: Credential;
let port = 0;
/** What the broker waits for before it acknowledges. */
let storing: Promise<void> = Promise.resolve();

async function startAt(at: number): Promise<Broker> {
  return startBroker({
    address: '127.0.0.1',
    port: at,
    tls: {
      authority: Buffer.from(root.certificatePem),
      certificate: Buffer.from(brokerCredential.certificatePem),
      privateKey: Buffer.from(brokerCredential.privateKeyPem),
    },
    folder: join(folder, 'broker'),
    maxClients: 10,
    maxPacketBytes: 300_000,
    log: createEventLog({ service: 'analytics', level: 'silent' }),
    keep: async (topic, payload) => {
      await storing;
      kept.push({ topic, payload });
    },
  });
}

before(async () => {
  root = await createRootAuthority('test authority', validity.notBefore, validity.notAfter);
  brokerCredential = await issueCertificate(root, {
    commonName: 'analytics',
    organisation: 'sefleet service',
    serverAuth: true,
    subjectAlternativeNames: ['localhost', '127.0.0.1'],
    ...validity,
  });
  broker = await startAt(0);
  port = broker.port;
});

after(async () => {
  await broker.close();
  runtime.close();
  rmSync(folder, { recursive: true });
});

interface Observed {
  readonly carrier: MqttCarrier;
  readonly failures: unknown[];
  credentials: number;
}

async function carrierOf(device: string, topicOf: string, pathLength?: number): Promise<Observed> {
  const certificate = await issueCertificate(root, {
    commonName: device,
    ...(pathLength === undefined ? {} : { pathLength }),
    ...validity,
  });
  const key = createPrivateKey(certificate.privateKeyPem);
  const failures: unknown[] = [];
  const events = {
    connected: () => {},
    disconnected: () => {},
    failed: (error: unknown) => void failures.push(error),
  };
  const observed: Observed = {
    failures,
    credentials: 0,
    carrier: new MqttCarrier(
      {
        runtime,
        url: `mqtts://127.0.0.1:${port}`,
        authority: Buffer.from(root.certificatePem),
        gate: new Gate(4),
        events,
      },
      {
        endpoint: device,
        topic: recordTopic({ kind: 'obu', endpoint: topicOf }),
        credential: () => {
          observed.credentials++;
          return createSessionCredential({
            endpoint: device,
            certificateChain: [new X509Certificate(certificate.certificatePem).raw],
            nowMs: Date.now(),
            lifetimeMs: 3_600_000,
            rng: runtime.rng,
            sign: (message) => sign('sha256', message, key),
          });
        },
      },
    ),
  };
  return observed;
}

async function until(what: string, done: () => boolean): Promise<void> {
  const limit = performance.now() + 15_000;
  while (!done()) {
    assert.ok(performance.now() < limit, `${what} within 15 s`);
    await sleep(20);
  }
}

test('delivers records with a session certificate, acknowledged only when they are kept', async () => {
  const { carrier } = await carrierOf(ENDPOINT, ENDPOINT, 0);
  carrier.start(() => {});
  await until('connected', () => carrier.ready);
  const { promise, resolve } = Promise.withResolvers<void>();
  storing = promise;
  let acknowledged = false;
  const delivery = carrier.deliver([Uint8Array.of(1), Uint8Array.of(2)]).then(() => (acknowledged = true));
  await sleep(100);
  assert.equal(acknowledged, false);
  resolve();
  await delivery;
  assert.equal(kept.length, 1);
  assert.equal(kept[0]?.topic, recordTopic({ kind: 'obu', endpoint: ENDPOINT }));
  await carrier.stop();
});

test('a device that may not issue is refused, and goes on trying', async () => {
  const { carrier, failures } = await carrierOf(ENDPOINT, ENDPOINT);
  const refusedBefore = broker.refused;
  carrier.start(() => {});
  await until('refused twice', () => broker.refused >= refusedBefore + 2);
  assert.equal(carrier.ready, false);
  assert.ok(failures.length > 0);
  await carrier.stop();
});

test('a device that publishes as another one gets nothing kept', async () => {
  const { carrier } = await carrierOf('urn:dev:sefleet:obu-000666', ENDPOINT, 0);
  carrier.start(() => {});
  await until('connected', () => carrier.ready);
  const before = kept.length;
  await assert.rejects(carrier.deliver([Uint8Array.of(9)]));
  assert.equal(kept.length, before);
  await carrier.stop();
});

test('what is under way when the broker ends is rejected, and the connection comes back', async () => {
  const observed = await carrierOf(ENDPOINT, ENDPOINT, 0);
  const { carrier } = observed;
  let ready = 0;
  carrier.start(() => ready++);
  await until('connected', () => carrier.ready);
  storing = new Promise(() => {});
  const delivery = carrier.deliver([Uint8Array.of(3)]);
  const rejected = assert.rejects(delivery, { code: 'SIM_BROKER_UNAVAILABLE' });
  await sleep(50);
  const closing = broker.close();
  await rejected;
  await closing;
  storing = Promise.resolve();
  broker = await startAt(port);
  await until('connected again', () => ready === 2);
  await carrier.deliver([Uint8Array.of(3)]);
  assert.equal(observed.credentials, 1);
  await carrier.stop();
});
