/** OMA enabler test cases LightweightM2M-1.1-int-770 to int-779: firmware update. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CODE } from '@sefleet/coap';
import { FIRMWARE_RESULT, FIRMWARE_STATE, recoverFirmware } from '@sefleet/lwm2m';
import { entry, OmaWorld, path } from './oma-world.ts';

const good = (size: number): Uint8Array => new Uint8Array(size).fill(0x47);
const state = (world: OmaWorld): unknown => world.tree.instance(5, 0)?.get(3);
const result = (world: OmaWorld): unknown => world.tree.instance(5, 0)?.get(5);

it('int-770 Successful Firmware update via CoAP', async () => {
  const world = await OmaWorld.registered();
  world.download = () => Promise.resolve(good(5000));
  const uri = entry('/5/0/1', 'coap://10.0.3.1/firmware');
  assert.equal((await world.run(world.first.device.write(uri.path, [uri], 'replace'))).code, CODE.CHANGED);
  await world.runtime.advance(1_000);
  assert.equal(state(world), FIRMWARE_STATE.DOWNLOADED);
  assert.equal((await world.run(world.first.device.execute(path('/5/0/2')))).code, CODE.CHANGED);
  await world.runtime.advance(1_000);
  assert.deepEqual([state(world), result(world)], [FIRMWARE_STATE.IDLE, FIRMWARE_RESULT.SUCCESS]);
});

it('int-771 Successful Firmware update via block-wise CoAP', async () => {
  const world = await OmaWorld.registered();
  const written = await world.run(world.first.device.writeOpaque(path('/5/0/0'), good(100_000)));
  assert.equal(written.code, CODE.CHANGED);
  assert.equal(state(world), FIRMWARE_STATE.DOWNLOADED);
  await world.run(world.first.device.execute(path('/5/0/2')));
  await world.runtime.advance(1_000);
  assert.equal(result(world), FIRMWARE_RESULT.SUCCESS);
});

it('int-772 Firmware update is observed', async () => {
  const world = await OmaWorld.registered();
  await world.run(world.first.device.observe([path('/5/0/3')]));
  await world.run(world.first.device.writeOpaque(path('/5/0/0'), good(100)));
  await world.runtime.advance(1_000);
  assert.deepEqual(world.first.notifications.at(-1)?.entries, [entry('/5/0/3', FIRMWARE_STATE.DOWNLOADED)]);
});

it('int-773 Error case: package too large', async () => {
  const world = await OmaWorld.registered();
  const written = await world.run(world.first.device.writeOpaque(path('/5/0/0'), good(250_000)));
  assert.equal(written.code, CODE.REQUEST_ENTITY_TOO_LARGE);
  assert.deepEqual([state(world), result(world)], [FIRMWARE_STATE.IDLE, FIRMWARE_RESULT.NOT_ENOUGH_FLASH]);
});

it('int-774 Error case: connection lost during the download', async () => {
  const world = await OmaWorld.registered();
  const uri = entry('/5/0/1', 'coap://10.0.3.1/firmware');
  await world.run(world.first.device.write(uri.path, [uri], 'replace'));
  await world.runtime.advance(1_000);
  assert.deepEqual([state(world), result(world)], [FIRMWARE_STATE.IDLE, FIRMWARE_RESULT.CONNECTION_LOST]);
});

it('int-775 Error case: integrity check fails', async () => {
  const world = await OmaWorld.registered();
  await world.run(world.first.device.writeOpaque(path('/5/0/0'), new Uint8Array(100).fill(0x58)));
  assert.deepEqual(
    [state(world), result(world)],
    [FIRMWARE_STATE.IDLE, FIRMWARE_RESULT.INTEGRITY_CHECK_FAILED],
  );
  assert.equal((await world.run(world.first.device.execute(path('/5/0/2')))).code, CODE.METHOD_NOT_ALLOWED);
});

it('int-776 Error case: invalid URI', async () => {
  const world = await OmaWorld.registered();
  const uri = entry('/5/0/1', 'nowhere');
  await world.run(world.first.device.write(uri.path, [uri], 'replace'));
  assert.equal(result(world), FIRMWARE_RESULT.INVALID_URI);
});

it('int-777 Error case: unsupported protocol', async () => {
  const world = await OmaWorld.registered();
  const uri = entry('/5/0/1', 'https://10.0.3.1/firmware');
  await world.run(world.first.device.write(uri.path, [uri], 'replace'));
  assert.equal(result(world), FIRMWARE_RESULT.UNSUPPORTED_PROTOCOL);
});

it('int-778 Error case: the update fails', async () => {
  const world = await OmaWorld.registered();
  world.firmwareWorks = false;
  await world.run(world.first.device.writeOpaque(path('/5/0/0'), good(100)));
  await world.run(world.first.device.execute(path('/5/0/2')));
  await world.runtime.advance(1_000);
  assert.deepEqual([state(world), result(world)], [FIRMWARE_STATE.DOWNLOADED, FIRMWARE_RESULT.UPDATE_FAILED]);
});

it('int-779 Power is cut in the middle and the device recovers', async () => {
  const world = await OmaWorld.registered();
  world.download = () => new Promise(() => {});
  const uri = entry('/5/0/1', 'coap://10.0.3.1/firmware');
  await world.run(world.first.device.write(uri.path, [uri], 'replace'));
  await world.run(world.client.powerOff());
  const instance = world.tree.instance(5, 0);
  assert.ok(instance);
  recoverFirmware(instance, false);
  await world.run(world.client.start());
  const read = await world.run(world.first.device.read(path('/5/0/5')));
  assert.deepEqual(read.entries, [entry('/5/0/5', FIRMWARE_RESULT.CONNECTION_LOST)]);
});
