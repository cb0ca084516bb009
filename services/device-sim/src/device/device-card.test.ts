import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSeededRng, SimRuntime } from '@sefleet/runtime/sim';
import { commandTimeMs, IotSafeClient, JAVA_CARD_2015 } from '@sefleet/secure-element';
import { createTestCard, giveToStakeholder } from '../testing/test-card.ts';
import { CardTiming } from './card-timing.ts';
import { DeviceCard } from './device-card.ts';

const ENDPOINT = 'urn:dev:sefleet:meter-000001';
const INITIALIZE_UPDATE = 0x50;
const MEASUREMENTS = [{ metric: 'activeEnergyWh', value: 5, unit: 'Wh' }];

async function createDeviceCard(
  withoutReadings: readonly string[] = [],
  timing?: CardTiming,
): Promise<DeviceCard> {
  const rng = createSeededRng(3);
  const image = await createTestCard(ENDPOINT, rng);
  return new DeviceCard({
    image,
    endpoint: ENDPOINT,
    rng,
    withoutReadings,
    timing,
    changed: () => undefined,
  });
}

test('leaves the basic channel to the owners of the card: what they have half agreed on stays', async () => {
  const card = await createDeviceCard();
  let between = 0;
  const transmit = (apdu: Uint8Array): Uint8Array => {
    const response = card.transmit(apdu);
    if (apdu[1] !== INITIALIZE_UPDATE) return response;
    between++;
    card.seal(1000, MEASUREMENTS);
    card.psk('x', { container: 1 }).masterSecret({ label: 'master secret', seed: new Uint8Array(64) });
    card.image();
    return response;
  };
  await giveToStakeholder(transmit, ENDPOINT, 'sunrise-energy', createSeededRng(4));
  assert.equal(between, 1);
});

test('cannot be told whom to seal for when no stakeholder takes readings', async () => {
  const card = await createDeviceCard(['northern-power']);
  assert.throws(() => card.seal(1000, MEASUREMENTS), { code: 'SIM_CARD_UNUSABLE' });
});

test('goes on sealing after a visitor has reset the card', async () => {
  const card = await createDeviceCard();
  card.seal(1000, MEASUREMENTS);
  card.reset();
  assert.ok((card.seal(2000, MEASUREMENTS)[0]?.length ?? 0) > 40);
});

test("shakes hands after a reset, though a channel that it had is another applet's now", async () => {
  const card = await createDeviceCard();
  const request = { label: 'master secret', seed: new Uint8Array(64) } as const;
  const secret = card.psk('x', { container: 1 }).masterSecret(request);
  card.seal(1000, MEASUREMENTS);
  card.reset();
  // The applet of records comes first now, and gets the channel that the keys had before.
  card.seal(2000, MEASUREMENTS);
  assert.deepEqual(card.psk('x', { container: 1 }).masterSecret(request), secret);
  card.reset();
  card.psk('x', { container: 1 }).masterSecret(request);
  assert.ok((card.seal(3000, MEASUREMENTS)[0]?.length ?? 0) > 40);
});

test('gives a master secret at once, or when a chip would have computed it', async () => {
  const request = { label: 'master secret', seed: new Uint8Array(64) } as const;
  const card = await createDeviceCard();
  let chipMs = 0;
  const client = new IotSafeClient((apdu) => {
    const response = card.transmit(apdu);
    chipMs = commandTimeMs(JAVA_CARD_2015, apdu, response);
    return response;
  });
  const secret = client.masterSecret(Uint8Array.of(1), request);
  assert.ok(chipMs > 30);
  assert.deepEqual(card.psk('x', { container: 1 }).masterSecret(request), secret);

  const runtime = new SimRuntime(1);
  const slow = await createDeviceCard([], new CardTiming(JAVA_CARD_2015, runtime));
  await runtime.advance(60_000);
  const startedMs = runtime.clock.monotonicMs();
  const later = slow.psk('x', { container: 1 }).masterSecret(request);
  assert.ok(later instanceof Promise);
  let arrivedMs = 0;
  const arrival = later.then((value) => {
    arrivedMs = runtime.clock.monotonicMs();
    return value;
  });
  await runtime.advance(Math.floor(chipMs) - 1);
  assert.equal(arrivedMs, 0);
  await runtime.advance(20);
  assert.deepEqual(await arrival, secret);
  assert.ok(arrivedMs - startedMs >= chipMs);
});

test('is put back from an image that goes on from it; an older one, a fork and another card change nothing', async () => {
  const card = await createDeviceCard();
  const old = card.image();
  card.seal(1000, MEASUREMENTS);
  const present = card.image();
  assert.throws(() => card.replace(old), { code: 'SIM_CARD_IMAGE_REFUSED' });
  assert.throws(() => card.replace(present.subarray(1)), { code: 'SIM_CARD_IMAGE_REFUSED' });
  const rng = createSeededRng(8);
  const other = new DeviceCard({
    image: await createTestCard('urn:dev:sefleet:meter-000002', rng),
    endpoint: 'urn:dev:sefleet:meter-000002',
    rng,
    withoutReadings: [],
    changed: () => undefined,
  });
  for (let i = 0; i < 3; i++) other.seal(1000 + i, MEASUREMENTS);
  assert.throws(() => card.replace(other.image()), { code: 'SIM_CARD_IMAGE_REFUSED' });
  assert.deepEqual(card.image(), present);

  const copyOf = (image: Uint8Array, seed: number): DeviceCard =>
    new DeviceCard({
      image,
      endpoint: ENDPOINT,
      rng: createSeededRng(seed),
      withoutReadings: [],
      changed: () => undefined,
    });
  const elsewhere = copyOf(present, 11);
  for (let i = 0; i < 3; i++) elsewhere.seal(1000 + i, MEASUREMENTS);
  card.replace(elsewhere.image());
  assert.equal(card.revision, elsewhere.revision);
  assert.deepEqual(card.image(), elsewhere.image());

  const fork = copyOf(present, 12);
  for (let i = 0; i < 5; i++) fork.seal(1000 + i, MEASUREMENTS);
  assert.ok(fork.revision > card.revision);
  assert.throws(() => card.replace(fork.image()), {
    code: 'SIM_CARD_IMAGE_REFUSED',
    message: /a copy that went its own way/u,
  });
  assert.deepEqual(card.image(), elsewhere.image());
  assert.ok((card.seal(5000, MEASUREMENTS)[0]?.length ?? 0) > 40);
});
