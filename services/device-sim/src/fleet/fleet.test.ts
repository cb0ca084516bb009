import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { toHex } from '@sefleet/bytes';
import { decodeSealedRecord } from '@sefleet/cose';
import { TestWorld } from '../testing/test-world.ts';
import { DEFAULT_CONNECTIVITY } from '../device/connectivity.ts';
import { CLEAR_NETWORK } from '../network/network-conditions.ts';
import { Fleet, type FleetLimits, type FleetPorts } from './fleet.ts';
import { planFleet } from './fleet-plan.ts';

const LIMITS: FleetLimits = {
  startConcurrency: 4,
  handshakeConcurrency: 4,
  keepAliveMs: 30_000,
  awakeTimeMs: 93_000,
  sessionCertificateMinutes: 60,
  cipherSuite: 'TLS_PSK_WITH_AES_128_CCM_8',
};
const PLAN = planFleet({
  kinds: [
    { kind: 'smart-meter', count: 4, readingIntervalMs: 1000 },
    { kind: 'rpm-gateway', count: 2, readingIntervalMs: 1000 },
  ],
  seed: 7n,
  startRate: 0,
  timeCompression: 60,
  virtualStartMs: 0,
  network: CLEAR_NETWORK,
  connectivity: DEFAULT_CONNECTIVITY,
});
const TOTAL = 6;

interface Running {
  readonly world: TestWorld;
  readonly ports: FleetPorts;
  readonly fleet: Fleet;
}

async function start(seed: number, conditions = {}): Promise<Running> {
  const world = new TestWorld(seed, conditions);
  world.startServers();
  const ports = world.ports();
  ports.store.putFleet({ ...PLAN, state: 'running' });
  const fleet = new Fleet(PLAN, ports, LIMITS);
  void fleet.switchOn('start');
  const up = await world.runtime.runUntil(() => registered(fleet) === TOTAL, 120_000);
  assert.ok(up, `registered ${registered(fleet)}: ${JSON.stringify([...fleet.metrics.errors])}`);
  return { world, ports, fleet };
}

function registered(fleet: Fleet): number {
  return fleet.metrics.counts('smart-meter').registered + fleet.metrics.counts('rpm-gateway').registered;
}

async function drain({ world, fleet }: Running): Promise<void> {
  let drained: boolean | undefined;
  void fleet.drain(240_000).then((done) => (drained = done));
  await world.runtime.runUntil(() => drained !== undefined, 300_000);
  assert.equal(drained, true, JSON.stringify([...fleet.metrics.errors]));
}

async function end({ world, ports, fleet }: Running): Promise<void> {
  let ended = false;
  void fleet.powerOff().then(() => (ended = true));
  await world.runtime.runUntil(() => ended, 60_000);
  ports.store.close();
  rmSync(world.folder, { recursive: true });
}

/** Every sequence number from 1 on arrived, and none with two different records. */
function assertLedger(world: TestWorld, fleet: Fleet): void {
  for (const device of fleet.devices) {
    const byNumber = new Map<number, string>();
    for (const sealed of world.received.get(device.endpoint) ?? []) {
      const { sequence } = decodeSealedRecord(sealed);
      const before = byNumber.get(sequence);
      assert.ok(
        before === undefined || before === toHex(sealed),
        `${device.endpoint} used ${sequence} twice`,
      );
      byNumber.set(sequence, toHex(sealed));
    }
    assert.ok(device.sealed > 0);
    assert.equal(byNumber.size, device.sealed, `${device.endpoint}: ${[...byNumber.keys()].join()}`);
    assert.equal(Math.max(...byNumber.keys()), device.sealed);
    assert.equal(device.acknowledged, device.sealed);
  }
}

test('a fleet bootstraps, registers and delivers every reading once', async () => {
  const running = await start(1);
  const { world, fleet } = running;
  assert.equal(world.bootstraps, TOTAL);
  assert.equal(world.management?.size, TOTAL);
  assert.equal(fleet.metrics.handshakes, 2 * TOTAL);
  assert.deepEqual([...fleet.metrics.cipherSuites], [['TLS_PSK_WITH_AES_128_CCM_8', 2 * TOTAL]]);
  await world.runtime.advance(20_000);
  await drain(running);
  assertLedger(world, fleet);
  const meter = world.opened('urn:dev:sefleet:meter-000001');
  const energy = meter.map(({ values }) => values.find(([metric]) => metric === 1)?.[1] ?? -1);
  assert.ok(energy.length > 15);
  assert.deepEqual(
    energy,
    energy.toSorted((a, b) => a - b),
  );
  await end(running);
});

test('the same seed gives the same readings, another one gives others', async () => {
  const values = async (seed: bigint): Promise<unknown> => {
    const world = new TestWorld(Number(seed) + 100);
    world.startServers();
    const ports = world.ports();
    const fleet = new Fleet({ ...PLAN, seed }, ports, LIMITS);
    void fleet.switchOn('start');
    await world.runtime.advance(15_000);
    await drain({ world, ports, fleet });
    const read = [...fleet.devices]
      .map(({ endpoint }) => ({ endpoint, values: world.opened(endpoint).map((record) => record.values) }))
      .toSorted((a, b) => a.endpoint.localeCompare(b.endpoint))
      .map((device) => ({ ...device, values: device.values.slice(0, 8) }));
    await end({ world, ports, fleet });
    return read;
  };
  const first = await values(5n);
  assert.deepEqual(await values(5n), first);
  assert.notDeepEqual(await values(6n), first);
});

test('servers that are killed and come back get every reading, and every device back', async () => {
  const running = await start(2);
  const { world, fleet } = running;
  await world.runtime.advance(5000);
  await world.killServers();
  await world.runtime.advance(3000);
  world.startServers();
  assert.ok(await world.runtime.runUntil(() => world.management?.size === TOTAL, 60_000));
  await world.runtime.advance(5000);
  await drain(running);
  assertLedger(world, fleet);
  assert.equal(world.bootstraps, TOTAL, 'accounts are kept, nobody bootstraps again');
  await end(running);
});

test('a busy server gets the readings later', async () => {
  const running = await start(3);
  const { world, fleet } = running;
  world.accepting = false;
  await world.runtime.advance(100_000);
  const { sealed, acknowledged } = fleet.records();
  assert.ok(sealed - acknowledged > 90 * TOTAL, 'more waits than a window holds');
  world.accepting = true;
  await drain(running);
  assertLedger(world, fleet);
  await end(running);
});

test('loss, duplicates and reordering on the path lose no reading', async () => {
  const running = await start(4, { loss: 0.1, duplicate: 0.1, delayMsMin: 5, delayMsMax: 80 });
  await running.world.runtime.advance(20_000);
  await drain(running);
  assertLedger(running.world, running.fleet);
  await end(running);
});

test('devices whose NAT forgets their addresses go on in the same sessions', async () => {
  const world = new TestWorld(6);
  world.startServers();
  const ports = world.ports();
  const network = { ...CLEAR_NETWORK, lossShare: 0.02, delayMsMin: 5, delayMsMax: 40, rebindEveryMs: 2000 };
  const fleet = new Fleet({ ...PLAN, network }, ports, LIMITS);
  void fleet.switchOn('start');
  assert.ok(await world.runtime.runUntil(() => registered(fleet) === TOTAL, 120_000));
  const before = fleet.metrics.handshakes;
  await world.runtime.advance(30_000);
  assert.equal(fleet.metrics.handshakes, before, 'connection IDs keep the sessions');
  await drain({ world, ports, fleet });
  assertLedger(world, fleet);
  await end({ world, ports, fleet });
});

for (const afterMs of [700, 1530, 4999, 7777]) {
  test(`a process killed ${afterMs} ms after registration goes on from disk, nothing lost`, async () => {
    const running = await start(5);
    const { world } = running;
    await world.runtime.advance(afterMs);
    // What is on disk now is what a kill leaves behind; the devices' last words are lost.
    const folder = mkdtempSync(join(tmpdir(), 'sefleet-fleet-'));
    cpSync(world.folder, folder, { recursive: true });
    const dead = world.network.filter;
    const old = new Set<string>();
    world.network.filter = (_data, from, to) => !old.has(from) && !old.has(to);
    for (let port = 40_000; port < 40_200; port++) old.add(`10.1.0.1:${port}`);
    const ports = world.ports(folder);
    const stored = ports.store.fleet();
    assert.equal(stored?.seed, PLAN.seed);
    await end(running);
    const fleet = new Fleet(PLAN, { ...ports, bind: () => Promise.resolve(bindAbove(world)) }, LIMITS);
    void fleet.switchOn('resume');
    assert.ok(await world.runtime.runUntil(() => registered(fleet) === TOTAL, 120_000));
    await world.runtime.advance(5000);
    const resumed = { world, ports, fleet };
    await drain(resumed);
    assertLedger(world, fleet);
    world.network.filter = dead;
    let ended = false;
    void fleet.powerOff().then(() => (ended = true));
    await world.runtime.runUntil(() => ended, 60_000);
    ports.store.close();
    rmSync(folder, { recursive: true });
  });
}

let nextPort = 50_000;
function bindAbove({ network }: TestWorld) {
  return network.bind('10.1.0.1', nextPort++);
}

test('devices whose server has moved ask the bootstrap server where it is', async () => {
  const running = await start(9);
  const { world, fleet } = running;
  await world.runtime.advance(5000);
  await world.killServers();
  world.startServers(5685);
  const isBack = (): boolean => world.management?.size === TOTAL && registered(fleet) === TOTAL;
  assert.ok(await world.runtime.runUntil(isBack, 600_000), JSON.stringify([...fleet.metrics.errors]));
  assert.equal(world.bootstraps, 2 * TOTAL);
  await drain(running);
  assertLedger(world, fleet);
  await end(running);
});
