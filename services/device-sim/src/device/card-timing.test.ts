import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fromHex } from '@sefleet/bytes';
import { APDU_COMMAND_PATH, encodeApduScript } from '@sefleet/lwm2m-coap';
import { SimRuntime } from '@sefleet/runtime/sim';
import { commandTimeMs, JAVA_CARD_2015 } from '@sefleet/secure-element';
import { Fleet } from '../fleet/fleet.ts';
import { planFleet } from '../fleet/fleet-plan.ts';
import { CLEAR_NETWORK } from '../network/network-conditions.ts';
import { TestWorld } from '../testing/test-world.ts';
import { CardTiming } from './card-timing.ts';
import { DEFAULT_CONNECTIVITY } from './connectivity.ts';

const METER = 'urn:dev:sefleet:meter-000001';
const INITIALIZE_UPDATE = fromHex('8050000008000102030405060700');
/** AES that slow shows in everything that a card does. */
const SLOW = { aesBlockMs: 200 } as const;

let world: TestWorld;
let fleet: Fleet;

before(async () => {
  world = new TestWorld(12);
  world.startServers();
  const plan = planFleet({
    kinds: [{ kind: 'smart-meter', count: 1, readingIntervalMs: 20_000 }],
    seed: 3n,
    startRate: 0,
    timeCompression: 1,
    virtualStartMs: 0,
    network: CLEAR_NETWORK,
    connectivity: DEFAULT_CONNECTIVITY,
  });
  fleet = new Fleet(plan, world.ports(), {
    startConcurrency: 2,
    handshakeConcurrency: 2,
    keepAliveMs: 10_000,
    awakeTimeMs: 93_000,
    sessionCertificateMinutes: 60,
    cipherSuite: 'TLS_PSK_WITH_AES_128_CCM_8',
    seTiming: 'java-card-2015',
    seTimingCosts: SLOW,
  });
  void fleet.switchOn('start');
  await world.runtime.runUntil(() => world.management?.size === 1, 120_000);
  await world.runtime.advance(60_000);
});

after(async () => {
  await settle(fleet.powerOff());
  rmSync(world.folder, { recursive: true });
});

/** Lets virtual time pass until `promise` settles; how much has passed. */
async function settle(promise: Promise<unknown>): Promise<number> {
  const startedMs = world.runtime.clock.monotonicMs();
  let settledMs: number | undefined;
  const note = (): void => void (settledMs = world.runtime.clock.monotonicMs());
  promise.then(note, note);
  await world.runtime.runUntil(() => settledMs !== undefined, 120_000);
  await promise;
  return (settledMs ?? 0) - startedMs;
}

function meter() {
  const device = fleet.device(METER);
  assert.ok(device !== undefined && world.management !== undefined);
  return { device, remote: world.management.device(METER) };
}

test('a script of the owner is answered when the chip would have gone through all of it', async () => {
  const { remote } = meter();
  const once = commandTimeMs({ ...JAVA_CARD_2015, ...SLOW }, INITIALIZE_UPDATE, new Uint8Array(34));
  const one = await settle(remote.writeOpaque(APDU_COMMAND_PATH, encodeApduScript([INITIALIZE_UPDATE])));
  const script = encodeApduScript([INITIALIZE_UPDATE, INITIALIZE_UPDATE, INITIALIZE_UPDATE]);
  const three = await settle(remote.writeOpaque(APDU_COMMAND_PATH, script));
  assert.ok(one >= once && one < 1.5 * once, `${one} for ${once} ms`);
  assert.ok(three >= 3 * once && three < 3.5 * once, `${three} for ${3 * once} ms`);
});

test('a record leaves the device when the chip would have sealed it', async () => {
  const { device } = meter();
  const sealed = device.sealed;
  await world.runtime.runUntil(() => device.sealed > sealed, 60_000);
  const before = world.received.get(METER)?.length ?? 0;
  await world.runtime.advance(1000);
  assert.equal(world.received.get(METER)?.length ?? 0, before, 'some twenty blocks take longer');
  await world.runtime.runUntil(() => (world.received.get(METER)?.length ?? 0) > before, 60_000);
});

test('visitors are answered in their order, and wait for what the device itself has asked', async () => {
  const { device } = meter();
  const order: number[] = [];
  const answers = [1, 2, 3].map(async (number) => {
    await device.card.answer(INITIALIZE_UPDATE);
    order.push(number);
  });
  const signature = Promise.resolve(device.card.whenDone('signed')).then(() => order.push(4));
  await settle(Promise.all([...answers, signature]));
  assert.deepEqual(order, [1, 2, 3, 4]);
});

test('cards do not wait for each other, and an idle one answers at once', async () => {
  const runtime = new SimRuntime(1);
  const [busy, idle] = [new CardTiming(JAVA_CARD_2015, runtime), new CardTiming(JAVA_CARD_2015, runtime)];
  for (let i = 0; i < 100; i++) busy.spend(INITIALIZE_UPDATE, new Uint8Array(34));
  assert.equal(idle.whenDone('now'), 'now');
  const later = busy.whenDone('later');
  assert.ok(later instanceof Promise);
  let done = false;
  void later.then(() => (done = true));
  await runtime.advance(99 * commandTimeMs(JAVA_CARD_2015, INITIALIZE_UPDATE, new Uint8Array(34)));
  assert.equal(done, false);
  await runtime.advance(1000);
  assert.equal(done, true);
  assert.equal(busy.whenDone('now'), 'now');
});
