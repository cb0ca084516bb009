import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fromHex, toHex } from '@sefleet/bytes';
import { decodeSealedRecord } from '@sefleet/cose';
import { Lwm2mPath } from '@sefleet/lwm2m';
import {
  APDU_COMMAND_PATH,
  APDU_RESPONSE_PATH,
  decodeApduScript,
  encodeApduScript,
  type RegisteredDevice,
} from '@sefleet/lwm2m-coap';
import { Fleet, type FleetPorts } from '../fleet/fleet.ts';
import { planFleet } from '../fleet/fleet-plan.ts';
import { DEFAULT_CONNECTIVITY } from './connectivity.ts';
import { CLEAR_NETWORK } from '../network/network-conditions.ts';
import { stageCutOver } from '../testing/test-card.ts';
import { TestWorld } from '../testing/test-world.ts';

const METER = 'urn:dev:sefleet:meter-000001';
const OBU = 'urn:dev:sefleet:obu-000001';
const GATEWAY = 'urn:dev:sefleet:gateway-000001';

let world: TestWorld;
let ports: FleetPorts;
let fleet: Fleet;

before(async () => {
  world = new TestWorld(11);
  world.startServers();
  ports = world.ports();
  const one = { count: 1, readingIntervalMs: 1000 };
  const plan = planFleet({
    kinds: [
      { kind: 'smart-meter', ...one },
      { kind: 'obu', ...one },
      { kind: 'rpm-gateway', ...one },
    ],
    seed: 3n,
    startRate: 0,
    timeCompression: 1,
    virtualStartMs: 0,
    network: CLEAR_NETWORK,
    connectivity: DEFAULT_CONNECTIVITY,
  });
  fleet = new Fleet(plan, ports, {
    startConcurrency: 2,
    handshakeConcurrency: 2,
    keepAliveMs: 10_000,
    awakeTimeMs: 93_000,
    sessionCertificateMinutes: 60,
    cipherSuite: 'TLS_PSK_WITH_AES_128_CCM_8',
  });
  void fleet.switchOn('start');
  await world.runtime.runUntil(() => world.management?.size === 3, 60_000);
  await world.runtime.advance(3000);
});

after(async () => {
  const ended = settle(fleet.powerOff());
  await ended;
  ports.store.close();
  rmSync(world.folder, { recursive: true });
});

function device(endpoint: string): RegisteredDevice {
  assert.ok(world.management);
  return world.management.device(endpoint);
}

/** Lets virtual time pass until `promise` settles. */
async function settle<T>(promise: Promise<T>): Promise<T> {
  let settled = false;
  promise.then(
    () => (settled = true),
    () => (settled = true),
  );
  await world.runtime.runUntil(() => settled, 120_000);
  return promise;
}

async function value(endpoint: string, path: string): Promise<unknown> {
  const { entries, code } = await settle(device(endpoint).read(Lwm2mPath.parse(path)));
  assert.equal(code, 0x45, `${path}: ${code.toString(16)}`);
  return entries[0]?.value;
}

test('registers the objects of its kind', () => {
  const objects = (endpoint: string) => device(endpoint).registration.announcement.links;
  for (const path of ['/3/0', '/4/0', '/5/0', '/6/0', '/30000/0', '/30001/0']) {
    for (const endpoint of [METER, OBU, GATEWAY]) assert.match(objects(endpoint), new RegExp(`<${path}>`));
  }
  assert.match(objects(METER), /\/3305\/0/);
  assert.match(objects(OBU), /\/3330\/0/);
  assert.match(objects(GATEWAY), /<\/3346\/0>.*<\/3346\/1>/);
  assert.doesNotMatch(objects(METER), /<\/0[/>]/);
});

test('shows the newest reading in its objects', async () => {
  const meter = await value(METER, '/3305/0/5805');
  assert.ok(typeof meter === 'number' && meter > 0);
  assert.ok(typeof (await value(METER, '/3305/0/5800')) === 'number');
  const latitude = await value(OBU, '/6/0/0');
  assert.ok(typeof latitude === 'number' && latitude > 47 && latitude < 54);
  const heartRate = await value(GATEWAY, '/3346/0/5700');
  assert.ok(typeof heartRate === 'number' && heartRate >= 51 && heartRate <= 100);
  const record = await value(METER, '/30001/0/0');
  assert.ok(record instanceof Uint8Array && record.length > 40);
});

test('never shows the accounts with its keys to a management server', async () => {
  const { code } = await settle(device(METER).read(Lwm2mPath.parse('/0/1')));
  assert.equal(code, 0x81);
});

test('announces the sensors behind a gateway', async () => {
  const { entries } = await settle(device(GATEWAY).read(Lwm2mPath.parse('/25')));
  const prefixes = entries
    .filter(({ path }) => path.resourceId === 1)
    .flatMap(({ value: prefix }) => (typeof prefix === 'string' ? [prefix] : []));
  assert.deepEqual(
    prefixes.toSorted((a, b) => a.localeCompare(b)),
    ['cuff', 'oximeter', 'thermometer'],
  );
});

test('shows the sensors behind a gateway below their prefixes', async () => {
  const { management } = world;
  assert.ok(management);
  const endDevices = await settle(management.endDevices(GATEWAY));
  const below = async (prefix: string, path: string): Promise<unknown> => {
    const endDevice = endDevices.find((candidate) => candidate.prefix === prefix);
    assert.equal(endDevice?.id, `${GATEWAY}:${prefix}`);
    const sensor = management.endDevice(GATEWAY, endDevice);
    assert.ok(sensor);
    const { entries, code } = await settle(sensor.read(Lwm2mPath.parse(path)));
    assert.equal(code, 0x45, `${prefix}${path}: ${code.toString(16)}`);
    return entries[0]?.value;
  };
  assert.equal(await below('oximeter', '/3/0/1'), 'OX-1');
  assert.equal(await below('cuff', '/3/0/1'), 'BP-1');
  const heartRate = await below('oximeter', '/3346/0/5700');
  assert.ok(typeof heartRate === 'number' && heartRate >= 51 && heartRate <= 100);
  const saturation = await below('oximeter', '/3300/0/5700');
  assert.ok(typeof saturation === 'number' && saturation > 90 && saturation <= 100);
  const temperature = await below('thermometer', '/3303/0/5700');
  assert.ok(typeof temperature === 'number' && temperature > 35 && temperature < 40);
});

test('hands APDU scripts to its card and stops at the first refusal', async () => {
  const script = encodeApduScript([
    fromHex('00a4040000'),
    fromHex('80ca006600'),
    fromHex('80ff0000'),
    fromHex('00a4040000'),
  ]);
  const written = await settle(device(METER).writeOpaque(APDU_COMMAND_PATH, script));
  assert.ok(written.success);
  const read = await settle(device(METER).read(APDU_RESPONSE_PATH));
  const response = read.entries[0]?.value;
  assert.ok(response instanceof Uint8Array);
  const answers = decodeApduScript(response).map((answer) => toHex(answer.subarray(-2)));
  assert.equal(answers[0], '9000');
  assert.match(answers.at(-1) ?? '', /^6/);
  assert.ok(answers.length < 4);
});

test('refuses a script that is none', async () => {
  const { code } = await settle(device(METER).writeOpaque(APDU_COMMAND_PATH, fromHex('ffffff00')));
  assert.equal(code >> 5, 4);
});

test('takes part in a change of supplier: one reading for both, at the instant, and on for the new one', async () => {
  const at = (resource: number) => Lwm2mPath.parse(`/30002/0/${resource}`);
  const meter = () => device(METER);
  const write = async (resource: number, value: number | Uint8Array) =>
    settle(meter().write(at(resource), [{ path: at(resource), value }], 'replace'));
  assert.equal((await settle(meter().read(at(1)))).code, 0x84, 'no closing record yet');
  const instant = world.runtime.clock.wallMs() + 5400;
  assert.equal((await write(0, instant)).code, 0x85, 'no instant without an order');
  assert.equal((await write(3, new Uint8Array(65))).code, 0x80, 'an order is short');
  const card = fleet.device(METER)?.card;
  assert.ok(card !== undefined);
  const transmit = (apdu: Uint8Array): Uint8Array => card.transmit(apdu);
  const order = await settle(stageCutOver(transmit, METER, 'sunrise-energy', instant, world.runtime.rng));
  assert.ok((await write(3, order)).success);
  assert.ok((await write(0, instant + 60_000)).success);
  assert.ok((await settle(meter().execute(at(2)))).success, 'withdrawn in time');
  assert.ok((await write(0, instant)).success);
  await world.runtime.advance(10_000);
  assert.equal((await settle(meter().execute(at(2)))).code, 0x85, 'a reading that was taken stays taken');
  const [closing, opening] = [await settle(meter().read(at(1))), await settle(meter().read(at(4)))];
  assert.ok(
    closing.entries[0]?.value instanceof Uint8Array && opening.entries[0]?.value instanceof Uint8Array,
  );
  await world.runtime.advance(3000);
  const records = (world.received.get(METER) ?? []).map((record) => decodeSealedRecord(record));
  const opened = world.opened(METER);
  const cut = opened.findIndex(({ timestampMs }) => timestampMs === instant);
  assert.equal(opened[cut + 1]?.timestampMs, instant);
  assert.deepEqual(opened[cut + 1]?.values, opened[cut]?.values, 'opening and closing say the same');
  assert.ok(records.slice(0, cut + 1).every(({ stakeholder }) => stakeholder === 'northern-power'));
  assert.ok(records.slice(cut + 1).every(({ stakeholder }) => stakeholder === 'sunrise-energy'));
  assert.ok(records.length - cut > 5, 'nothing waits for the keys');
  assert.ok((await write(3, Uint8Array.of(1))).success, 'the order of another switch');
  assert.equal((await settle(meter().read(at(1)))).code, 0x84, 'ends this one');
});

test('goes on for the old supplier when the card refuses the cut-over', async () => {
  const at = (resource: number) => Lwm2mPath.parse(`/30002/0/${resource}`);
  const write = async (resource: number, value: number | Uint8Array) =>
    settle(device(METER).write(at(resource), [{ path: at(resource), value }], 'replace'));
  const sealed = fleet.device(METER)?.sealed ?? 0;
  assert.ok((await write(3, fromHex('4f05f0000000008610' + '00'.repeat(16)))).success);
  assert.ok((await write(0, world.runtime.clock.wallMs() + 1000)).success);
  await world.runtime.advance(5000);
  assert.equal((await settle(device(METER).read(at(1)))).code, 0x84, 'there is no cut-over reading');
  assert.ok((fleet.device(METER)?.sealed ?? 0) > sealed, 'readings go on');
});

test('asks a silent server for a sign of life', async () => {
  assert.ok(await settle(fleet.drain(10_000)));
  const updated = device(OBU).registration.updatedAtMs;
  await world.runtime.advance(25_000);
  assert.ok(device(OBU).registration.updatedAtMs > updated);
});
