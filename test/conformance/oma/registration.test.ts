/**
 * OMA enabler test cases LightweightM2M-1.1-int-101 to int-109: registration and queue mode; int-401: PSK.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CODE } from '@sefleet/coap';
import { createSoftwarePsk } from '@sefleet/dtls';
import { accountOf, ENDPOINT, entry, OmaWorld, path, uriOf } from './oma-world.ts';

it('int-101 Initial Registration', async () => {
  const world = await OmaWorld.registered();
  const { registration } = world.first.device;
  assert.equal(registration.endpoint, ENDPOINT);
  assert.equal(registration.lifetimeSeconds, 300);
  assert.equal(registration.version, '1.1');
  assert.equal(registration.binding, 'U');
  assert.equal(registration.queueMode, false);
});

it('int-102 Registration Update', async () => {
  const world = await OmaWorld.registered();
  const written = await world.run(world.first.device.write(path('/1/0/1'), [entry('/1/0/1', 60)], 'replace'));
  assert.equal(written.code, CODE.CHANGED);
  await world.runtime.advance(1_000);
  assert.equal(world.first.log.at(-1), `updated ${ENDPOINT} 60`);
  world.client.update();
  await world.runtime.advance(1_000);
  assert.equal(world.first.log.length, 3);
});

it('int-103 Deregistration', async () => {
  const world = await OmaWorld.registered();
  await world.run(world.first.device.execute(path('/1/0/4')));
  await world.runtime.advance(1_000);
  assert.equal(world.first.log.at(-1), `deregistered ${ENDPOINT} 300`);
  assert.equal(world.first.server.size, 0);
});

it('int-104 Registration Update Trigger', async () => {
  const world = await OmaWorld.registered();
  const executed = await world.run(world.first.device.execute(path('/1/0/8')));
  assert.equal(executed.code, CODE.CHANGED);
  await world.runtime.advance(1_000);
  assert.equal(world.first.log.at(-1), `updated ${ENDPOINT} 300`);
});

it('int-105 Discarded Register Update', async () => {
  const world = await OmaWorld.registered();
  // The Update is lost with all its repetitions; the server forgets the device; the device registers anew.
  world.network.filter = (_data, from) => !from.startsWith('10.9.9.9');
  await world.runtime.advance(500_000);
  assert.equal(world.first.log.at(-1), `expired ${ENDPOINT} 300`);
  world.network.filter = undefined;
  await world.runtime.advance(500_000);
  assert.ok(world.first.log.includes(`registered ${ENDPOINT} 300`, 1));
  assert.equal(world.first.server.size, 1);
});

it('int-107 Extending the lifetime of a registration', async () => {
  const world = await OmaWorld.registered();
  await world.runtime.advance(2_000_000);
  assert.equal(world.first.server.size, 1);
  assert.ok(world.first.log.slice(1).every((line) => line === `updated ${ENDPOINT} 300`));
  assert.ok(world.first.log.length > 5);
});

it('int-108 Turn on Queue Mode', async () => {
  const world = await OmaWorld.registered();
  await world.run(world.first.device.write(path('/1/0/7'), [entry('/1/0/7', 'UQ')], 'replace'));
  await world.runtime.advance(1_000);
  assert.equal(world.first.device.registration.queueMode, true);
});

it('int-109 Behavior in Queue Mode', async () => {
  const world = new OmaWorld();
  world.addAccount(101, 'first', [
    [7, 'UQ'],
    [1, 86_400],
  ]);
  await world.run(world.client.start());
  await world.runtime.advance(100_000);
  assert.deepEqual(world.clientLog, ['sleeping']);
  assert.equal(world.first.device.sleeping, true);
  let answered: number | undefined;
  const waiting = world.first.device.read(path('/3/0/0')).then(({ code }) => (answered = code));
  await world.runtime.advance(10_000);
  assert.equal(answered, undefined);
  world.client.update();
  await world.run(waiting);
  assert.equal(answered, CODE.CONTENT);
  assert.deepEqual(world.clientLog, ['sleeping', 'awake']);
});

it('int-401 UDP Channel Security - PSK Mode', async () => {
  const key = new TextEncoder().encode('a key of the test');
  const world = new OmaWorld({ dtls: { pskFor: (identity) => createSoftwarePsk(identity, key) } });
  world.addBootstrapAccount(true);
  world.configuration = { deletes: [], writes: accountOf(uriOf('first', true)) };
  await world.run(world.client.start());
  const { peer } = world.first;
  assert.ok(peer?.identity.kind === 'psk');
  assert.equal(peer.identity.identity, ENDPOINT);
  const read = await world.run(world.first.device.read(path('/3/0/0')));
  assert.equal(read.entries[0]?.value, 'Open Mobile Alliance');
});
