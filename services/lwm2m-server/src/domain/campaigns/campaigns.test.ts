import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SefleetError } from '@sefleet/errors';
import { omaModels } from '@sefleet/lwm2m';
import type { OperationResult } from '@sefleet/lwm2m-coap';
import { SimRuntime } from '@sefleet/runtime/sim';
import { SqliteDatabase } from '@sefleet/service';
import { SqlStore } from '../../store/sql-store.ts';
import { FakeDevice } from '../../testing/fake-device.ts';
import { Campaigns } from './campaigns.ts';
import type { Operation } from '../operations/operation.ts';
import { FirmwareImages } from './firmware-images.ts';
import { FirmwareRollout } from './firmware-rollout.ts';
import { OperationRunner } from '../operations/operation-runner.ts';

const REBOOT: Operation = { kind: 'execute', path: '/3/0/4', args: '' };

class World {
  readonly runtime = new SimRuntime(1);
  readonly devices = new Map<string, FakeDevice>();
  readonly fleet = { find: (endpoint: string) => this.devices.get(endpoint) };
  store!: SqlStore;
  campaigns!: Campaigns;

  static async create(...names: string[]): Promise<World> {
    const world = new World();
    for (const name of names) world.devices.set(name, new FakeDevice(name));
    const { timers } = world.runtime;
    world.store = await SqlStore.open(new SqliteDatabase(':memory:'), timers, (error) =>
      assert.fail(String(error)),
    );
    world.campaigns = world.createCampaigns();
    return world;
  }

  /** As the next process has them. */
  createCampaigns(): Campaigns {
    const { runtime, fleet, store } = this;
    const firmware = new FirmwareRollout(fleet, new FirmwareImages(), runtime.timers, 'coaps://server');
    return new Campaigns({ fleet, store, runtime, runner: new OperationRunner(omaModels(), firmware) });
  }

  device(name: string): FakeDevice {
    const device = this.devices.get(name);
    assert.ok(device);
    return device;
  }

  start(
    endpoints: readonly string[],
    changes: { id?: string; operation?: Operation; concurrency?: number; deadlineSeconds?: number } = {},
  ) {
    return this.campaigns.start({
      id: 'c1',
      operation: REBOOT,
      endpoints,
      concurrency: 2,
      attempts: 3,
      deadlineSeconds: 3600,
      startedBy: 'cli',
      ...changes,
    });
  }

  async counts(): Promise<string> {
    const { campaign, counts } = await this.campaigns.find('c1');
    return `${campaign.state} +${counts.succeeded} -${counts.failed} ?${counts.open}`;
  }
}

test('does an operation on every device and ends', async () => {
  const world = await World.create('a', 'b', 'c');
  world.device('b').answer = () => Promise.resolve({ code: 0x85, success: false });
  await world.start(['a', 'b', 'c', 'a']);
  await world.runtime.advance(100);
  assert.equal(await world.counts(), 'ended +2 -1 ?0');
  assert.deepEqual(world.device('a').calls, ['execute /3/0/4']);
  const [, refused] = await world.store.campaignResults('c1', { after: '', limit: 10, onlyFailed: false });
  assert.equal(refused?.code, '4.05');
});

test('keeps to its concurrency', async () => {
  const world = await World.create('a', 'b', 'c', 'd');
  let running = 0;
  let most = 0;
  for (const device of world.devices.values()) {
    device.answer = () =>
      new Promise((resolve) => {
        most = Math.max(most, ++running);
        world.runtime.timers.after(100, () => {
          running--;
          resolve({ code: 0x44, success: true });
        });
      });
  }
  await world.start(['a', 'b', 'c', 'd']);
  await world.runtime.advance(1000);
  assert.equal(await world.counts(), 'ended +4 -0 ?0');
  assert.equal(most, 2);
});

test('waits for devices that are away without holding the others up, until the deadline', async () => {
  const world = await World.create('a', 'b', 'c');
  world.device('a').reachable = false;
  await world.start(['a', 'b', 'unknown'], { concurrency: 1 });
  await world.runtime.advance(1000);
  assert.equal(await world.counts(), 'running +1 -0 ?2');
  world.device('a').reachable = true;
  world.campaigns.deviceHeard('a');
  await world.runtime.advance(1000);
  assert.equal(await world.counts(), 'running +2 -0 ?1');
  await world.runtime.advance(3_600_000);
  assert.equal(await world.counts(), 'ended +2 -1 ?0');
});

test('tries a device again that does not answer, and gives up after its attempts', async () => {
  const world = await World.create('a', 'b');
  const silent = (): Promise<OperationResult> =>
    Promise.reject(new SefleetError('LWM2M_OPERATION_TIMEOUT', 'environment', 'no answer'));
  world.device('a').answer = silent;
  let failures = 0;
  world.device('b').answer = () =>
    failures++ < 2 ? silent() : Promise.resolve({ code: 0x44, success: true });
  await world.start(['a', 'b']);
  await world.runtime.advance(60_000);
  assert.equal(await world.counts(), 'ended +1 -1 ?0');
  assert.equal(world.device('a').calls.length, 3);
  const [failed] = await world.store.campaignResults('c1', { after: '', limit: 10, onlyFailed: true });
  assert.deepEqual([failed?.error, failed?.attempts], ['LWM2M_OPERATION_TIMEOUT', 3]);
});

test('gives up a device at the deadline that went away between two attempts', async () => {
  const world = await World.create('a');
  world.device('a').answer = () => {
    world.device('a').reachable = false;
    return Promise.reject(new SefleetError('LWM2M_OPERATION_TIMEOUT', 'environment', 'no answer'));
  };
  await world.start(['a'], { deadlineSeconds: 3 });
  await world.runtime.advance(60_000);
  assert.equal(await world.counts(), 'ended +0 -1 ?0');
  const [failed] = await world.store.campaignResults('c1', { after: '', limit: 10, onlyFailed: true });
  assert.deepEqual([failed?.error, failed?.attempts], ['LWM2M_OPERATION_TIMEOUT', 1]);
});

test('starts once what two calls ask for at once', async () => {
  const world = await World.create('a');
  const started = await Promise.all([world.start(['a']), world.start(['a']), world.start(['a'])]);
  await world.runtime.advance(1000);
  assert.deepEqual(
    started.map(({ campaign }) => campaign.id),
    ['c1', 'c1', 'c1'],
  );
  assert.equal(world.device('a').calls.length, 1);
  const many = Array.from({ length: 70 }, (_, number) => world.start(['away'], { id: `m${number}` }));
  const refused = (await Promise.allSettled(many)).filter(({ status }) => status === 'rejected');
  assert.equal(refused.length, 6);
});

test('goes on in the next process however many were started since', async () => {
  const world = await World.create('a', 'b');
  world.device('b').reachable = false;
  await world.start(['b'], { id: 'old' });
  await world.runtime.advance(1000);
  for (let number = 0; number < 70; number++) {
    await world.start(['a'], { id: `m${number}` });
    await world.runtime.advance(1000);
  }
  world.campaigns.stop();
  world.campaigns = world.createCampaigns();
  world.device('b').reachable = true;
  await world.campaigns.resume();
  await world.runtime.advance(1000);
  assert.equal((await world.campaigns.find('old')).campaign.state, 'ended');
});

test('pauses, resumes and cancels', async () => {
  const world = await World.create('a', 'b');
  world.device('a').reachable = false;
  world.device('b').reachable = false;
  await world.start(['a', 'b']);
  await world.campaigns.control('c1', 'paused');
  for (const device of world.devices.values()) device.reachable = true;
  world.campaigns.deviceHeard('a');
  await world.runtime.advance(1000);
  assert.equal(await world.counts(), 'paused +0 -0 ?2');
  await world.campaigns.control('c1', 'running');
  await world.runtime.advance(1000);
  assert.equal(await world.counts(), 'running +1 -0 ?1');
  await world.campaigns.control('c1', 'cancelled');
  assert.equal(await world.counts(), 'cancelled +1 -0 ?1');
  await assert.rejects(world.campaigns.control('c1', 'running'), { code: 'LWM2M_CAMPAIGN_PRECONDITION' });
  await assert.rejects(world.campaigns.control('c2', 'paused'), { code: 'LWM2M_CAMPAIGN_NOT_FOUND' });
});

test('goes on in the next process with the devices that are not done', async () => {
  const world = await World.create('a', 'b');
  world.device('b').reachable = false;
  await world.start(['a', 'b']);
  await world.runtime.advance(1000);
  world.campaigns.stop();
  world.campaigns = world.createCampaigns();
  world.device('b').reachable = true;
  await world.campaigns.resume();
  await world.runtime.advance(1000);
  assert.equal(await world.counts(), 'ended +2 -0 ?0');
  assert.equal(world.device('a').calls.length, 1);
  assert.equal((await world.start(['a'])).campaign.state, 'ended');
  const other = world.start(['a'], { operation: { kind: 'read', path: '/3/0/0' } });
  await assert.rejects(other, { code: 'LWM2M_CAMPAIGN_EXISTS', message: /another operation \(execute\)/ });
  assert.equal(world.device('a').calls.length, 1);
});

test('brings firmware to a device: package, update, result', async () => {
  const world = await World.create('a', 'b');
  const image = Buffer.from('image').toString('base64');
  const good = world.device('a');
  good.values.set('/5/0/3', 2).set('/5/0/5', 1);
  good.answer = () => {
    if (good.calls.at(-1) === 'execute /5/0/2') good.values.set('/5/0/3', 0);
    return Promise.resolve({ code: 0x44, success: true });
  };
  const bad = world.device('b');
  bad.values.set('/5/0/3', 0).set('/5/0/5', 5);
  await world.start(['a', 'b'], { operation: { kind: 'firmware', image, pull: true } });
  await world.runtime.advance(10_000);
  assert.equal(await world.counts(), 'ended +1 -1 ?0');
  assert.deepEqual(good.calls, ['write /5/0/1', 'execute /5/0/2']);
  const [failed] = await world.store.campaignResults('c1', { after: '', limit: 10, onlyFailed: true });
  assert.equal(failed?.error, 'LWM2M_FIRMWARE_FAILED');
});
