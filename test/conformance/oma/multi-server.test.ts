/** OMA enabler test cases LightweightM2M-1.1-int-950 and int-951: several servers and access control. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CODE } from '@sefleet/coap';
import { ACCESS } from '@sefleet/lwm2m';
import { ENDPOINT, entry, OmaWorld, path } from './oma-world.ts';

async function withTwoServers(): Promise<OmaWorld> {
  const world = new OmaWorld();
  world.addAccount(101, 'first');
  world.addAccount(102, 'second');
  await world.run(world.client.start());
  await world.runtime.advance(1_000);
  return world;
}

function grant(
  world: OmaWorld,
  object: number,
  instance: number,
  owner: number,
  rights: [number, number][],
): void {
  const lists = world.tree.require(2);
  lists.add(lists.freeInstanceId(), [
    [0, object],
    [1, instance],
    [2, new Map(rights)],
    [3, owner],
  ]);
}

it('int-950 Registration with several servers', async () => {
  const world = await withTwoServers();
  assert.deepEqual(world.first.log, [`registered ${ENDPOINT} 300`]);
  assert.deepEqual(world.second.log, [`registered ${ENDPOINT} 300`]);
  await world.run(world.client.send([entry('/3303/0/5700', 1)], 102));
  assert.deepEqual([world.first.sends.length, world.second.sends.length], [0, 1]);
});

it('int-951 Access control for several servers', async () => {
  const world = await withTwoServers();
  grant(world, 3, 0, 101, [[102, ACCESS.READ]]);
  assert.equal((await world.run(world.first.device.execute(path('/3/0/4')))).code, CODE.CHANGED);
  assert.equal((await world.run(world.second.device.read(path('/3/0/0')))).code, CODE.CONTENT);
  assert.equal((await world.run(world.second.device.execute(path('/3/0/4')))).code, CODE.UNAUTHORIZED);
  const write = await world.run(
    world.second.device.write(path('/3/0/14'), [entry('/3/0/14', 'x')], 'replace'),
  );
  assert.equal(write.code, CODE.UNAUTHORIZED);
  assert.equal((await world.run(world.second.device.read(path('/3303/0/5700')))).code, CODE.UNAUTHORIZED);
  assert.equal(world.reboots, 1);
});

it('makes the server that creates an instance its owner', async () => {
  const world = await withTwoServers();
  grant(world, 3303, 65_535, 65_535, [[101, ACCESS.CREATE]]);
  const denied = await world.run(world.second.device.create(path('/3303/5'), [entry('/3303/5/5700', 1)]));
  assert.equal(denied.code, CODE.UNAUTHORIZED);
  const created = await world.run(world.first.device.create(path('/3303/5'), [entry('/3303/5/5700', 1)]));
  assert.equal(created.code, CODE.CREATED);
  assert.equal((await world.run(world.second.device.read(path('/3303/5')))).code, CODE.UNAUTHORIZED);
  assert.equal((await world.run(world.first.device.read(path('/3303/5')))).code, CODE.CONTENT);
  assert.equal((await world.run(world.first.device.delete(path('/3303/5')))).code, CODE.DELETED);
  assert.equal([...world.tree.require(2).instances.values()].length, 1);
});

it('registers in the order of priority and stops where an account says so', async () => {
  const world = new OmaWorld();
  world.addAccount(101, 'first', [[13, 2]]);
  world.addAccount(102, 'second', [
    [13, 1],
    [15, true],
    [17, 1],
    [16, false],
  ]);
  world.tree.instance(0, 2)?.set(0, 'coap://10.99.0.1:5683');
  await assert.rejects(
    Promise.race([
      world.run(world.client.start()),
      world.runtime.advance(300_000).then(() => Promise.reject(new RangeError('blocked'))),
    ]),
    { message: 'blocked' },
  );
  assert.equal(world.first.server.size, 0);
  await world.client.powerOff();
});
