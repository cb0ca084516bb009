/** OMA enabler test cases LightweightM2M-1.1-int-301 to int-311: information reporting. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CODE } from '@sefleet/coap';
import { entry, OmaWorld, path } from './oma-world.ts';

it('int-301 Observation and Notification of parameter values', async () => {
  const world = await OmaWorld.registered();
  const battery = path('/3/0/9');
  await world.run(world.first.device.writeAttributes(battery, { pmin: 5, pmax: 15 }));
  const first = await world.run(world.first.device.observe([battery]));
  assert.deepEqual(first.entries, [entry('/3/0/9', 100)]);
  const device = world.tree.instance(3, 0);
  await world.runtime.advance(1_000);
  device?.set(9, 90);
  await world.runtime.advance(3_000);
  assert.equal(world.first.notifications.length, 0, 'pmin has not passed');
  await world.runtime.advance(2_000);
  assert.deepEqual(world.first.notifications.at(-1)?.entries, [entry('/3/0/9', 90)]);
  await world.runtime.advance(16_000);
  assert.equal(world.first.notifications.length, 2, 'pmax has passed');
});

it('int-302 Cancel Observations using Reset Operation', async () => {
  const world = await OmaWorld.registered();
  const observation = await world.first.rawObserve({ method: 'GET', path: '/3/0/9' });
  assert.equal(world.client.observationCount, 1);
  await observation.cancel('forget');
  world.tree.instance(3, 0)?.set(9, 80);
  await world.runtime.advance(200_000);
  assert.equal(world.client.observationCount, 0);
});

it('int-303 Cancel observations using Observe with Cancel parameter', async () => {
  const world = await OmaWorld.registered();
  await world.run(world.first.device.observe([path('/3/0/9')]));
  assert.equal(await world.run(world.first.device.cancelObservation([path('/3/0/9')])), true);
  await world.runtime.advance(1_000);
  assert.equal(world.client.observationCount, 0);
  world.tree.instance(3, 0)?.set(9, 80);
  await world.runtime.advance(10_000);
  assert.equal(world.first.notifications.length, 0);
});

it('int-304 Observe-Composite Operation', async () => {
  const world = await OmaWorld.registered();
  const first = await world.run(world.first.device.observe([path('/3/0/9'), path('/3303/0/5700')]));
  assert.deepEqual(first.entries, [entry('/3/0/9', 100), entry('/3303/0/5700', 20.5)]);
  world.tree.instance(3303, 0)?.set(5700, 22);
  await world.runtime.advance(1_000);
  assert.deepEqual(world.first.notifications.at(-1)?.entries, [
    entry('/3/0/9', 100),
    entry('/3303/0/5700', 22),
  ]);
});

it('int-305 Cancel Observation-Composite Operation', async () => {
  const world = await OmaWorld.registered();
  const paths = [path('/3/0/9'), path('/3303/0/5700')];
  await world.run(world.first.device.observe(paths));
  await world.run(world.first.device.cancelObservation(paths));
  await world.runtime.advance(1_000);
  assert.equal(world.client.observationCount, 0);
});

it('int-306 Send Operation', async () => {
  const world = await OmaWorld.registered();
  await world.run(world.client.send([path('/3303/0/5700'), path('/3/0/9')]));
  assert.deepEqual(world.first.sends, [[entry('/3303/0/5700', 20.5), entry('/3/0/9', 100)]]);
});

it('int-307 Muting Send', async () => {
  const world = await OmaWorld.registered();
  const mute = (value: boolean): Promise<{ readonly code: number }> =>
    world.run(world.first.device.write(path('/1/0/23'), [entry('/1/0/23', value)], 'replace'));
  assert.equal((await mute(true)).code, CODE.CHANGED);
  await assert.rejects(world.run(world.client.send([path('/3/0/9')])), { code: 'LWM2M_SEND_MUTED' });
  await mute(false);
  await world.run(world.client.send([path('/3/0/9')]));
  assert.equal(world.first.sends.length, 1);
});

it('int-308 Observe-Composite and Creating Object Instance', async () => {
  const world = await OmaWorld.registered();
  await world.run(world.first.device.observe([path('/3303'), path('/3/0/9')]));
  const created = await world.run(world.first.device.create(path('/3303/1'), [entry('/3303/1/5700', 5)]));
  assert.equal(created.code, CODE.CREATED);
  await world.runtime.advance(1_000);
  const seen = world.first.notifications.at(-1)?.entries.map((item) => item.path.toString());
  assert.ok(seen?.includes('/3303/1/5700'));
});

it('int-309 Observe-Composite and Deleting Object Instance', async () => {
  const world = await OmaWorld.registered();
  world.tree.require(3303).add(1, [[5700, 5]]);
  await world.run(world.first.device.observe([path('/3303'), path('/3/0/9')]));
  assert.equal((await world.run(world.first.device.delete(path('/3303/1')))).code, CODE.DELETED);
  await world.runtime.advance(1_000);
  const seen = world.first.notifications.at(-1)?.entries.map((item) => item.path.toString());
  assert.ok(seen !== undefined && !seen.includes('/3303/1/5700') && seen.includes('/3303/0/5700'));
});

it('int-310 Observe-Composite and modification of parameter values', async () => {
  const world = await OmaWorld.registered();
  await world.run(world.first.device.observe([path('/1/0/2'), path('/3/0/14')]).catch(() => undefined));
  await world.run(world.first.device.write(path('/3/0/14'), [entry('/3/0/14', '+06:00')], 'replace'));
  await world.runtime.advance(1_000);
  assert.deepEqual(world.first.notifications.at(-1)?.entries, [entry('/3/0/14', '+06:00')]);
});

it('int-311 Send command', async () => {
  const world = await OmaWorld.registered();
  // While the network is away, readings are kept with their times and travel together.
  world.network.filter = () => false;
  const sent = [1, 2, 3].map((value) => world.client.send([entry('/3303/0/5700', value)]));
  await world.runtime.advance(400_000);
  world.network.filter = undefined;
  await world.run(Promise.all(sent));
  const values = world.first.sends.flat().map(({ value }) => value);
  assert.deepEqual(values, [1, 2, 3]);
  assert.ok(world.first.sends.flat().every(({ timeSeconds }) => timeSeconds !== undefined));
});
