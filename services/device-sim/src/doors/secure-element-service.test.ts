import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { common, secureElement } from '@sefleet/api';
import { createEventLog } from '@sefleet/observability';
import { createSeededRng } from '@sefleet/runtime/sim';
import {
  createGrpcClient,
  ensureLocalPki,
  readTlsFiles,
  startGrpcServer,
  type GrpcClient,
  type GrpcServer,
} from '@sefleet/service';
import { DeviceCard } from '../device/device-card.ts';
import { createTestCard } from '../testing/test-card.ts';
import type { BenchCard } from './card-directory.ts';
import { serveSecureElements } from './secure-element-service.ts';
import { Visitors } from './visitors.ts';

const ENDPOINT = 'urn:dev:sefleet:meter-000001';
const folder = mkdtempSync(join(tmpdir(), 'sefleet-import-'));
const visitors = new Visitors();
const rng = createSeededRng(5);
const factoryImage = await createTestCard(ENDPOINT, rng);
const card = createDeviceCard(factoryImage);

let server: GrpcServer;
let client: GrpcClient<typeof secureElement.SecureElementService>;

function createDeviceCard(image: Uint8Array): DeviceCard {
  return new DeviceCard({ image, endpoint: ENDPOINT, rng, withoutReadings: [], changed: () => undefined });
}

function benchCard(): BenchCard {
  return {
    endpoint: ENDPOINT,
    kind: common.DeviceKind.SMART_METER,
    revision: card.revision,
    applications: card.applications,
    describe: () => card.describe(),
    transmit: (command) => card.answer(command),
    reset: () => card.reset(),
    image: () => card.image(),
    replace: (image) => card.replace(image),
  };
}

before(async () => {
  await ensureLocalPki(folder, ['device-sim', 'cli']);
  const find = (endpoint: string): BenchCard | undefined => (endpoint === ENDPOINT ? benchCard() : undefined);
  server = await startGrpcServer({
    address: '127.0.0.1',
    port: 0,
    tls: readTlsFiles(folder, 'device-sim'),
    services: [serveSecureElements({ endpoints: () => [ENDPOINT], find }, visitors)],
    log: createEventLog({ service: 'device-sim', level: 'silent' }),
  });
  const target = `127.0.0.1:${server.port}`;
  client = createGrpcClient(secureElement.SecureElementService, target, readTlsFiles(folder, 'cli'));
});

after(async () => {
  client.close();
  await server.close(0);
  rmSync(folder, { recursive: true });
});

test('takes a newer image of a card, refuses an older one, and any while the card has a visitor', async () => {
  const twin = createDeviceCard(factoryImage);
  twin.seal(1000, [{ metric: 'activeEnergyWh', value: 5, unit: 'Wh' }]);
  const newer = twin.image();

  const visitor = {};
  visitors.enter(ENDPOINT, visitor);
  await assert.rejects(client.importImage({ endpoint: ENDPOINT, image: newer }), {
    code: 'SIM_CARD_IN_USE',
  });
  assert.deepEqual(card.image(), factoryImage);
  visitors.leave(ENDPOINT, visitor);

  const { revision } = await client.importImage({ endpoint: ENDPOINT, image: newer });
  assert.equal(revision, BigInt(twin.revision));
  await assert.rejects(client.importImage({ endpoint: ENDPOINT, image: factoryImage }), {
    code: 'SIM_CARD_IMAGE_REFUSED',
  });
  assert.deepEqual((await client.exportImage({ endpoint: ENDPOINT })).image, newer);
  // Neither the import nor its refusal stays at the card.
  visitors.enter(ENDPOINT, visitor);
});

test('describes the card: its domains in their hierarchy, life cycles by name, keys by check value', async () => {
  const { lifeCycle, entries, memoryBytes, freeBytes } = await client.describeSecureElement({
    endpoint: ENDPOINT,
  });
  assert.equal(lifeCycle, 'SECURED');
  assert.deepEqual(
    entries.map(({ aid }) => aid),
    card.applications,
  );
  const aids = new Set(entries.map(({ aid }) => aid));
  for (const { parent, usedBytes } of entries) {
    assert.ok(aids.has(parent));
    assert.ok(usedBytes > 0n && usedBytes <= memoryBytes - freeBytes);
  }
  const keys = entries.flatMap((entry) => entry.keys);
  assert.ok(keys.some(({ checkValue }) => checkValue.length === 3));
});
