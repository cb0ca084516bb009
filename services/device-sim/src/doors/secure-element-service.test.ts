import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { common, secureElement } from '@sefleet/api';
import { isSefleetError } from '@sefleet/errors';
import { createEventLog } from '@sefleet/observability';
import { createSeededRng, SimRuntime } from '@sefleet/runtime/sim';
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
import { watchCard } from './watch-card.ts';
import { Visitors } from './visitors.ts';

const ENDPOINT = 'urn:dev:sefleet:meter-000001';
const folder = mkdtempSync(join(tmpdir(), 'sefleet-import-'));
const visitors = new Visitors();
const { clock } = new SimRuntime(5);
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
    watch: (watcher) => card.watch(watcher),
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
    services: [serveSecureElements({ endpoints: () => [ENDPOINT], find }, visitors, clock)],
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

test('a watch tells what the device, its owners and visitors ask, and neither a secret nor a reading', async () => {
  const events = client.watchCard({ endpoint: ENDPOINT })[Symbol.asyncIterator]();
  const next = async () => (await events.next()).value?.event;
  assert.deepEqual((await next())?.case, 'watching');

  const secret = await card.psk('x', { container: 1 }).masterSecret({
    label: 'master secret',
    seed: new Uint8Array(64),
  });
  card.exchange([Uint8Array.of(0x00, 0xa4, 0x04, 0x00, 0x00)]);
  await card.answer(Uint8Array.of(0x80, 0xca, 0x00, 0x66, 0x00));
  card.reset();
  card.endWatches();

  const doors = new Set<secureElement.CardDoor>();
  let hidden = 0;
  let last: string | undefined;
  for (let event = await next(); event !== undefined; event = await next()) {
    last = event.case;
    if (event.case !== 'exchange') continue;
    const { door, command, response, hiddenResponseBytes } = event.value;
    doors.add(door);
    hidden += hiddenResponseBytes;
    for (const shown of [command, response]) assert.ok(!Buffer.from(shown).includes(secret));
  }
  assert.deepEqual(doors, new Set([1, 2, 3]));
  assert.equal(hidden, secret.length);
  assert.equal(last, 'reset');
});

test('the ninth watch of a card is refused, and one that its caller left makes room', async () => {
  const stop = new AbortController();
  const watches = Array.from({ length: 8 }, () =>
    client.watchCard({ endpoint: ENDPOINT }, { signal: stop.signal }),
  );
  for (const watch of watches) assert.equal((await watch.next()).value?.event.case, 'watching');
  await assert.rejects(client.watchCard({ endpoint: ENDPOINT }).next(), { code: 'SIM_CARD_WATCHED' });
  await assert.rejects(client.watchCard({ endpoint: 'nobody' }).next(), { code: 'SIM_CARD_NOT_FOUND' });
  stop.abort();
  for (;;) {
    const again = client.watchCard({ endpoint: ENDPOINT });
    const first = await again.next().catch((error: unknown) => error);
    await again.return?.();
    if (!isSefleetError(first, 'SIM_CARD_WATCHED')) break;
  }
});

test('a caller that reads too slowly is told how much it missed', async () => {
  const watch = watchCard(benchCard(), clock, new AbortController().signal);
  assert.equal((await watch.next()).value?.event?.case, 'watching');
  for (let i = 0; i < 1_100; i++) card.transmit(Uint8Array.of(0x80, 0xca, 0x00, 0x66, 0x00));
  card.endWatches();
  let exchanges = 0;
  let missed = 0;
  for await (const { event } of watch) {
    if (event?.case === 'exchange') exchanges++;
    if (event?.case === 'missed') missed = Number(event.value);
  }
  assert.ok(missed > 0);
  assert.equal(exchanges + missed, 1_100);
});
