/** OMA enabler test cases LightweightM2M-1.1-int-770 to int-779: firmware update. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CODE, createCoapEndpoint } from '@sefleet/coap';
import { FIRMWARE_RESULT, FIRMWARE_STATE, recoverFirmware } from '@sefleet/lwm2m';
import { entry, OmaWorld, path } from './oma-world.ts';

const { IDLE, DOWNLOADING, DOWNLOADED } = FIRMWARE_STATE;
const image = (letter: string, size = 1000): Uint8Array => new Uint8Array(size).fill(letter.charCodeAt(0));
const outcome = (world: OmaWorld): unknown[] => [3, 5].map((id) => world.tree.instance(5, 0)?.get(id));

async function push(world: OmaWorld, package_: Uint8Array): Promise<number> {
  return (await world.run(world.first.device.writeOpaque(path('/5/0/0'), package_))).code;
}

async function pull(world: OmaWorld, uri: string): Promise<void> {
  const written = await world.run(
    world.first.device.write(path('/5/0/1'), [entry('/5/0/1', uri)], 'replace'),
  );
  assert.equal(written.code, CODE.CHANGED);
  await world.runtime.advance(1_000);
}

async function update(world: OmaWorld): Promise<number> {
  const { code } = await world.run(world.first.device.execute(path('/5/0/2')));
  await world.runtime.advance(1_000);
  return code;
}

it('int-770 Successful firmware update via CoAP', async () => {
  const world = await OmaWorld.registered();
  await world.run(world.first.device.observe([path('/5/0/3')]));
  assert.equal(await push(world, image('G', 100_000)), CODE.CHANGED);
  assert.deepEqual(outcome(world), [DOWNLOADED, FIRMWARE_RESULT.INITIAL]);
  await world.runtime.advance(1_000);
  assert.deepEqual(world.first.notifications.at(-1)?.entries, [entry('/5/0/3', DOWNLOADED)]);
  assert.equal(await update(world), CODE.CHANGED);
  assert.deepEqual(outcome(world), [IDLE, FIRMWARE_RESULT.SUCCESS]);
});

it('int-771 Successful firmware update via an alternative mechanism', async () => {
  const world = await OmaWorld.registered();
  createCoapEndpoint({
    channel: world.network.bind('10.0.3.1', 5683),
    runtime: world.runtime,
    handler: ({ path: at }) =>
      at === '/firmware' ? { code: CODE.CONTENT, payload: image('G', 30_000) } : { code: CODE.NOT_FOUND },
  });
  await pull(world, 'coap://10.0.3.1/firmware');
  assert.deepEqual(outcome(world), [DOWNLOADED, FIRMWARE_RESULT.INITIAL]);
  assert.equal(await update(world), CODE.CHANGED);
  assert.deepEqual(outcome(world), [IDLE, FIRMWARE_RESULT.SUCCESS]);
});

it('int-772 Error case: firmware package not downloaded', async () => {
  const world = await OmaWorld.registered();
  assert.equal(await update(world), CODE.METHOD_NOT_ALLOWED);
  assert.deepEqual(outcome(world), [IDLE, FIRMWARE_RESULT.INITIAL]);
});

it('int-773 Error case: not enough storage', async () => {
  const world = await OmaWorld.registered();
  assert.equal(await push(world, image('G', 250_000)), CODE.REQUEST_ENTITY_TOO_LARGE);
  assert.deepEqual(outcome(world), [IDLE, FIRMWARE_RESULT.NOT_ENOUGH_FLASH]);
});

it('int-774 Error case: out of memory', async () => {
  const world = await OmaWorld.registered();
  await push(world, image('M'));
  assert.deepEqual(outcome(world), [IDLE, FIRMWARE_RESULT.OUT_OF_RAM]);
});

it('int-775 Error case: connection lost during the download', async () => {
  const world = await OmaWorld.registered();
  await pull(world, 'coap://10.0.3.1/firmware');
  assert.deepEqual(outcome(world), [DOWNLOADING, FIRMWARE_RESULT.INITIAL]);
  await world.runtime.advance(100_000);
  assert.deepEqual(outcome(world), [IDLE, FIRMWARE_RESULT.CONNECTION_LOST]);
});

it('int-776 Error case: integrity check fails', async () => {
  const world = await OmaWorld.registered();
  await push(world, image('X'));
  assert.deepEqual(outcome(world), [IDLE, FIRMWARE_RESULT.INTEGRITY_CHECK_FAILED]);
  assert.equal(await update(world), CODE.METHOD_NOT_ALLOWED);
});

it('int-777 Error case: unsupported package type', async () => {
  const world = await OmaWorld.registered();
  await push(world, image('A'));
  assert.deepEqual(outcome(world), [IDLE, FIRMWARE_RESULT.UNSUPPORTED_PACKAGE]);
});

it('int-778 Error case: invalid URI', async () => {
  const world = await OmaWorld.registered();
  await pull(world, 'nowhere');
  assert.deepEqual(outcome(world), [IDLE, FIRMWARE_RESULT.INVALID_URI]);
  await pull(world, 'https://10.0.3.1/firmware');
  assert.deepEqual(outcome(world), [IDLE, FIRMWARE_RESULT.UNSUPPORTED_PROTOCOL]);
});

it('int-779 Error case: unsuccessful firmware update', async () => {
  const world = await OmaWorld.registered();
  world.firmwareWorks = false;
  await push(world, image('G'));
  assert.equal(await update(world), CODE.CHANGED);
  assert.deepEqual(outcome(world), [DOWNLOADED, FIRMWARE_RESULT.UPDATE_FAILED]);
});

it('recovers when power is cut in the middle of a download', async () => {
  const world = await OmaWorld.registered();
  world.download = () => new Promise(() => {});
  await pull(world, 'coap://10.0.3.1/firmware');
  await world.run(world.client.powerOff());
  const instance = world.tree.instance(5, 0);
  assert.ok(instance);
  recoverFirmware(instance, false);
  await world.run(world.client.start());
  const read = await world.run(world.first.device.read(path('/5/0/5')));
  assert.deepEqual(read.entries, [entry('/5/0/5', FIRMWARE_RESULT.CONNECTION_LOST)]);
});
