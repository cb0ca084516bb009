import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSeededRng } from '@sefleet/runtime/sim';
import { createTestCard, giveToStakeholder } from '../testing/test-card.ts';
import { DeviceCard } from './device-card.ts';

const ENDPOINT = 'urn:dev:sefleet:meter-000001';
const INITIALIZE_UPDATE = 0x50;
const MEASUREMENTS = [{ metric: 'activeEnergyWh', value: 5, unit: 'Wh' }];

async function createDeviceCard(withoutReadings: readonly string[] = []): Promise<DeviceCard> {
  const rng = createSeededRng(3);
  const image = await createTestCard(ENDPOINT, rng);
  return new DeviceCard({ image, endpoint: ENDPOINT, rng, withoutReadings, changed: () => undefined });
}

test('leaves the basic channel to the owners of the card: what they have half agreed on stays', async () => {
  const card = await createDeviceCard();
  let between = 0;
  const transmit = (apdu: Uint8Array): Uint8Array => {
    const response = card.transmit(apdu);
    if (apdu[1] !== INITIALIZE_UPDATE) return response;
    between++;
    card.seal(1000, MEASUREMENTS);
    card.psk('x', 1).masterSecret({ label: 'master secret', seed: new Uint8Array(64) });
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
  assert.ok(card.seal(2000, MEASUREMENTS).length > 40);
});
