import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { common, simulation } from '@sefleet/api';
import { createEventLog } from '@sefleet/observability';
import {
  createGrpcClient,
  ensureLocalPki,
  readTlsFiles,
  startGrpcServer,
  type GrpcClient,
  type GrpcServer,
} from '@sefleet/service';
import { Simulation } from '../../fleet/simulation.ts';
import { TestWorld } from '../../testing/test-world.ts';
import { createSimulationService } from './simulation-service.ts';

const folder = mkdtempSync(join(tmpdir(), 'sefleet-simulation-'));
const world = new TestWorld(21);
const ports = world.ports();
const host = new Simulation(ports, {
  startConcurrency: 4,
  handshakeConcurrency: 4,
  keepAliveMs: 30_000,
  awakeTimeMs: 93_000,
  sessionCertificateMinutes: 60,
  cipherSuite: 'TLS_PSK_WITH_AES_128_CCM_8',
});
const METERS = { kind: common.DeviceKind.SMART_METER, count: 3, readingIntervalMs: 1000 };

let server: GrpcServer;
let client: GrpcClient<typeof simulation.SimulationService>;
let turning = true;

before(async () => {
  await ensureLocalPki(folder, ['device-sim', 'cli']);
  server = await startGrpcServer({
    address: '127.0.0.1',
    port: 0,
    tls: readTlsFiles(folder, 'device-sim'),
    services: [
      createSimulationService({ runtime: world.runtime, simulation: host, residentMemoryBytes: () => 1000 }),
    ],
    log: createEventLog({ service: 'device-sim', level: 'silent' }),
  });
  client = createGrpcClient(
    simulation.SimulationService,
    `127.0.0.1:${server.port}`,
    readTlsFiles(folder, 'cli'),
  );
  world.startServers();
  void turnWorld();
});

after(async () => {
  turning = false;
  client.close();
  await server.close();
  ports.store.close();
  rmSync(folder, { recursive: true });
  rmSync(world.folder, { recursive: true });
});

/** Virtual time passes, ten times as fast as real time, while calls are under way. */
async function turnWorld(): Promise<void> {
  while (turning) {
    await world.runtime.advance(50);
    await once(AbortSignal.timeout(5), 'abort');
  }
}

test('says that nothing runs before the first fleet, and refuses what needs one', async () => {
  const { progress } = await client.getFleet({});
  assert.equal(progress?.running, false);
  await assert.rejects(client.drainFleet({ timeoutMs: 100 }), { code: 'SIM_FLEET_PRECONDITION' });
  await assert.rejects(client.stopFleet({}), { code: 'SIM_FLEET_PRECONDITION' });
});

test('refuses plans that cannot be', async () => {
  const plans = [
    { kinds: [] },
    { kinds: [{ kind: common.DeviceKind.UNSPECIFIED, count: 1 }] },
    { kinds: [METERS, METERS] },
    { kinds: [{ ...METERS, count: 4_000_000 }] },
    { kinds: [{ ...METERS, readingIntervalMs: 1 }] },
    { kinds: [METERS], network: { lossShare: 2 } },
    { kinds: [METERS], network: { delayMsMin: 10, delayMsMax: 5 } },
    { kinds: [METERS], timeCompression: 4_000_000 },
  ];
  for (const plan of plans) await assert.rejects(client.startFleet(plan), { code: 'SIM_PLAN_INVALID' });
});

test('starts a fleet, shows its progress, drains it, and lists what it has sealed', async () => {
  await client.startFleet({ kinds: [METERS], seed: 7n });
  await assert.rejects(client.startFleet({ kinds: [METERS] }), { code: 'SIM_FLEET_EXISTS' });
  for await (const { progress } of client.watchFleet({ intervalMs: 100 })) {
    assert.ok(progress);
    if (progress.kinds[0]?.registered === 3n && progress.recordsAcknowledged > 10n) break;
  }
  const { drained, progress } = await client.drainFleet({ timeoutMs: 60_000 });
  assert.equal(drained, true);
  assert.ok(progress);
  assert.equal(progress.recordsSealed, progress.recordsAcknowledged);
  assert.equal(progress.recordsWaiting, 0n);
  assert.equal(progress.dtlsHandshakes, 6n);
  assert.deepEqual(
    progress.cipherSuites.map(({ name, value }) => [name, value]),
    [['TLS_PSK_WITH_AES_128_CCM_8', 6n]],
  );
  const latency = progress.bootstrapToRegistered;
  assert.equal(latency?.count, 3n);
  assert.ok(latency.p50Ms > 0 && latency.p50Ms <= latency.p99Ms && latency.p99Ms <= latency.maxMs);
  assert.ok(progress.firstRegisteredMs > 0 && progress.firstRegisteredMs <= progress.allRegisteredMs);
  const sealed = await ledger();
  assert.equal(sealed.length, 3);
  assert.equal(
    sealed.reduce((sum, device) => sum + device.lastSequence, 0n),
    progress.recordsSealed,
  );
  for (const device of sealed) assert.equal(device.acknowledged, device.lastSequence);
});

test('stops a fleet, and another start goes on with the cards and their numbers', async () => {
  const before = await ledger();
  const { progress } = await client.stopFleet({});
  assert.equal(progress?.running, false);
  assert.equal(progress.kinds[0]?.registered, 0n);
  assert.equal(world.management?.size, 0);
  await client.startFleet({ kinds: [METERS], seed: 8n });
  for await (const { progress: now } of client.watchFleet({ intervalMs: 100 })) {
    if (
      (now?.recordsAcknowledged ?? 0n) >
      12n + before.reduce((sum, device) => sum + device.acknowledged, 0n)
    )
      break;
  }
  assert.equal((await client.drainFleet({ timeoutMs: 60_000 })).drained, true);
  for (const device of await ledger()) {
    const records = world.opened(device.endpoint);
    assert.equal(new Set(records.map(({ sequence }) => sequence)).size, Number(device.lastSequence));
  }
  const errors = (await client.getFleet({})).progress?.errors ?? [];
  assert.deepEqual(
    errors.filter(({ name }) => name.startsWith('seal.')),
    [],
    'registers go on counting',
  );
  await client.stopFleet({});
});

async function ledger(): Promise<simulation.DeviceLedger[]> {
  const devices: simulation.DeviceLedger[] = [];
  for await (const page of client.listDeviceLedger({})) devices.push(...page.devices);
  return devices;
}
