import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import fc from 'fast-check';
import { SefleetError } from '@sefleet/errors';
import { omaModels } from '@sefleet/lwm2m';
import type { OperationResult } from '@sefleet/lwm2m-coap';
import { SimRuntime } from '@sefleet/runtime/sim';
import { everyTurn, SqliteDatabase } from '@sefleet/service';
import { SqlStore } from '../../store/sql-store.ts';
import { FakeDevice } from '../../testing/fake-device.ts';
import { FirmwareImages } from '../campaigns/firmware-images.ts';
import { FirmwareRollout } from '../campaigns/firmware-rollout.ts';
import type { Operation } from './operation.ts';
import { OperationQueue } from './operation-queue.ts';
import type { OperationQueueLimits } from './operation-queue.ts';
import { OperationRunner } from './operation-runner.ts';
import type { QueuedOperation } from './queued-operation.ts';

const REBOOT: Operation = { kind: 'execute', path: '/3/0/4', args: '' };
const WRITE: Operation = {
  kind: 'write',
  path: '/1/0/1',
  senmlJson: '[{"n":"/1/0/1","v":60}]',
  partial: false,
};
const SILENT = (): Promise<OperationResult> =>
  Promise.reject(new SefleetError('LWM2M_OPERATION_TIMEOUT', 'environment', 'did not answer'));

class World {
  readonly runtime = new SimRuntime(1);
  readonly device = new FakeDevice('a');
  readonly devices = new Map([['a', this.device]]);
  readonly fleet = { find: (endpoint: string) => this.devices.get(endpoint) };
  readonly ended: QueuedOperation[] = [];
  store!: SqlStore;
  queue!: OperationQueue;

  static async create(limits: Partial<OperationQueueLimits> = {}): Promise<World> {
    const world = new World();
    const timers = {
      ...world.runtime.timers,
      after: (_ms: number, run: () => void) => (everyTurn(run), IDLE),
    };
    world.store = await SqlStore.open(new SqliteDatabase(':memory:'), timers, (error) =>
      assert.fail(String(error)),
    );
    world.queue = world.next(limits);
    return world;
  }

  /** The queue as the next process has it. */
  next(limits: Partial<OperationQueueLimits> = {}): OperationQueue {
    const { runtime, fleet, store, ended } = this;
    const firmware = new FirmwareRollout(fleet, new FirmwareImages(), runtime.timers, 'coaps://server');
    const runner = new OperationRunner(omaModels(), firmware);
    const parts = { fleet, runner, runtime, store: store.operations };
    return new OperationQueue({ ...parts, ended: (operation) => ended.push(operation) }, limits);
  }

  enqueue(
    id: string,
    changes: { operation?: Operation; endpoint?: string; queuedBy?: string; expireSeconds?: number } = {},
  ) {
    const order = { id, endpoint: 'a', operation: REBOOT, expireSeconds: 3600, queuedBy: 'cli', ...changes };
    return this.queue.enqueue(order);
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 30; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  async state(id: string): Promise<string> {
    const { state, code, error } = await this.queue.find(id);
    return [state, code, error].filter((part) => part !== '').join(' ');
  }
}

const IDLE = { cancel: () => {} };

test('makes operations at once on a device that is there, in the order of their coming', async () => {
  const world = await World.create();
  await Promise.all([world.enqueue('1'), world.enqueue('2', { operation: WRITE }), world.enqueue('3')]);
  await world.settle();
  assert.deepEqual(world.device.calls, ['execute /3/0/4', 'write /1/0/1', 'execute /3/0/4']);
  assert.equal(await world.state('2'), 'answered 2.04');
  assert.deepEqual(
    world.ended.map(({ id }) => id),
    ['1', '2', '3'],
  );
});

test('keeps them for a device that is away, across a restart, and makes each once', async () => {
  const world = await World.create();
  world.device.reachable = false;
  await world.enqueue('1');
  await world.enqueue('2');
  world.queue.deviceHeard('a');
  world.queue.stop();
  world.queue = world.next();
  await world.queue.resume();
  await world.settle();
  assert.deepEqual(world.device.calls, []);
  world.device.reachable = true;
  for (let i = 0; i < 3; i++) world.queue.deviceHeard('a');
  await world.settle();
  assert.equal(world.device.calls.length, 2);
  assert.equal(await world.state('1'), 'answered 2.04');
  assert.equal(world.queue.active, false);
});

test('takes a device’s error as its answer, and asks no more', async () => {
  const world = await World.create();
  world.device.answer = () => Promise.resolve({ code: 0xa0, success: false });
  await world.enqueue('1');
  await world.settle();
  assert.equal(await world.state('1'), 'answered 5.00');
  assert.equal(world.device.calls.length, 1);
});

test('keeps operations while the store cannot be read, and goes on when it can', async () => {
  const world = await World.create();
  world.device.reachable = false;
  await world.enqueue('1', { operation: WRITE });
  await world.enqueue('2', { operation: WRITE, expireSeconds: 10 });
  let find = mock.method(world.store.operations, 'find', () => Promise.reject(new RangeError('down')));
  await world.runtime.advance(11_000);
  await world.settle();
  find.mock.restore();
  await world.runtime.advance(2000);
  await world.settle();
  assert.equal(await world.state('2'), 'expired LWM2M_OPERATION_TIMEOUT');
  find = mock.method(world.store.operations, 'find', () => Promise.reject(new RangeError('down')));
  world.device.reachable = true;
  world.queue.deviceHeard('a');
  await world.settle();
  assert.deepEqual(world.device.calls, []);
  find.mock.restore();
  await world.runtime.advance(2000);
  await world.settle();
  assert.equal(await world.state('1'), 'answered 2.04');
  assert.equal(world.queue.active, false);
});

test('repeats a write that got no answer, and never an execute', async () => {
  const world = await World.create();
  world.device.answer = SILENT;
  await world.enqueue('write', { operation: WRITE });
  await world.enqueue('reboot');
  await world.settle();
  assert.equal(await world.state('write'), 'waiting');
  world.device.answer = () => Promise.resolve({ code: 0x44, success: true });
  world.queue.deviceHeard('a');
  await world.settle();
  assert.equal((await world.queue.find('write')).attempts, 2);
  assert.equal(await world.state('reboot'), 'answered 2.04');
  world.device.answer = SILENT;
  await world.enqueue('again');
  await world.settle();
  assert.equal(await world.state('again'), 'failed LWM2M_OUTCOME_UNKNOWN');
});

test('sends an execute again that never left', async () => {
  const world = await World.create();
  world.device.answer = () =>
    Promise.reject(new SefleetError('LWM2M_DEVICE_UNAVAILABLE', 'environment', 'no connection'));
  await world.enqueue('1');
  await world.settle();
  assert.equal(await world.state('1'), 'waiting');
});

test('gives up on a device that never answers', async () => {
  const world = await World.create();
  world.device.answer = SILENT;
  await world.enqueue('1', { operation: WRITE });
  for (let i = 0; i < 10; i++) {
    await world.settle();
    world.queue.deviceHeard('a');
  }
  await world.settle();
  assert.equal(await world.state('1'), 'failed LWM2M_OPERATION_TIMEOUT');
  assert.equal(world.device.calls.length, 8);
});

test('knows after a crash what was under way: a write is made again, an execute is not', async () => {
  for (const [operation, state] of [
    [WRITE, 'answered 2.04'],
    [REBOOT, 'failed LWM2M_OUTCOME_UNKNOWN'],
  ] as const) {
    const world = await World.create();
    world.device.answer = () => new Promise(() => {});
    await world.enqueue('1', { operation });
    await world.settle();
    assert.equal(await world.state('1'), 'underWay');
    world.device.answer = () => Promise.resolve({ code: 0x44, success: true });
    world.queue = world.next();
    await world.queue.resume();
    await world.settle();
    assert.equal(await world.state('1'), state);
  }
});

test('ends what expires, unless it is with the device', async () => {
  const world = await World.create();
  world.device.reachable = false;
  await world.enqueue('1');
  await world.runtime.advance(3_600_100);
  await world.settle();
  assert.equal(await world.state('1'), 'expired LWM2M_OPERATION_TIMEOUT');
  world.device.reachable = true;
  world.device.answer = () => new Promise(() => {});
  await world.enqueue('2');
  await world.settle();
  await world.runtime.advance(3_600_100);
  await world.settle();
  assert.equal(await world.state('2'), 'underWay');
  assert.deepEqual(
    world.ended.map(({ id }) => id),
    ['1'],
  );
});

test('cancels what waits, and leaves alone what is under way or over', async () => {
  const world = await World.create();
  world.device.reachable = false;
  await world.enqueue('1');
  assert.equal((await world.queue.cancel('1')).state, 'cancelled');
  assert.equal((await world.queue.cancel('1')).state, 'cancelled');
  world.device.reachable = true;
  world.device.answer = () => new Promise(() => {});
  await world.enqueue('2');
  await world.settle();
  assert.equal((await world.queue.cancel('2')).state, 'underWay');
  await assert.rejects(world.queue.cancel('3'), { code: 'LWM2M_QUEUED_OPERATION_NOT_FOUND' });
});

test('gives one id one operation, whoever asks how often', async () => {
  const world = await World.create();
  world.device.reachable = false;
  const both = await Promise.all([world.enqueue('1'), world.enqueue('1')]);
  assert.deepEqual(both[0], both[1]);
  const exists = { code: 'LWM2M_QUEUED_OPERATION_EXISTS', message: /another one \(execute on a\)/ };
  await assert.rejects(world.enqueue('1', { operation: WRITE }), exists);
  await assert.rejects(world.enqueue('1', { endpoint: 'b' }), exists);
  const atOnce = [world.enqueue('2', { operation: WRITE }), world.enqueue('2')];
  assert.deepEqual(
    (await Promise.allSettled(atOnce)).map(({ status }) => status),
    ['fulfilled', 'rejected'],
  );
  // As it comes back from the store.
  assert.equal((await world.enqueue('2', { operation: WRITE })).id, '2');
  const other = world.enqueue('1', { queuedBy: 'northern-power' });
  await assert.rejects(other, { code: 'LWM2M_QUEUED_OPERATION_EXISTS' });
});

test('bounds what waits, for one device and for all', async () => {
  const world = await World.create({ perDevice: 2, total: 3 });
  world.device.reachable = false;
  await Promise.all([world.enqueue('1'), world.enqueue('2'), world.enqueue('3', { endpoint: 'b' })]);
  const full = { code: 'LWM2M_QUEUE_FULL' };
  await assert.rejects(world.enqueue('4'), full);
  await assert.rejects(world.enqueue('5', { endpoint: 'c' }), full);
  await world.queue.cancel('1');
  await world.enqueue('6', { endpoint: 'c' });
  const small = await World.create({ totalSize: 10 });
  await assert.rejects(small.enqueue('1'), full);
});

test('keeps the newest results', async () => {
  const world = await World.create({ results: 5 });
  for (let i = 1; i <= 100; i++) {
    await world.enqueue(String(i));
    await world.settle();
  }
  const page = { after: 0, limit: 1000, endpoint: '', queuedBy: '', onlyOpen: false };
  const kept = await world.store.operations.page(page);
  assert.deepEqual(
    kept.map(({ id }) => id),
    ['96', '97', '98', '99', '100'],
  );
});

test('makes every execute at most once and every write at least once, whatever happens when', async () => {
  const steps = fc.array(
    fc.constantFrom('reboot', 'write', 'away', 'back', 'silent', 'answers', 'crash', 'settle'),
    { maxLength: 25 },
  );
  await fc.assert(
    fc.asyncProperty(steps, async (names) => {
      const world = await World.create();
      const made: Operation['kind'][] = [];
      for (const [index, name] of names.entries()) {
        if (name === 'reboot' || name === 'write') {
          const operation = name === 'reboot' ? REBOOT : WRITE;
          made.push(operation.kind);
          await world.enqueue(String(index), { operation });
        } else if (name === 'away' || name === 'back') {
          world.device.reachable = name === 'back';
          world.queue.deviceHeard('a');
        } else if (name === 'silent' || name === 'answers') {
          world.device.answer =
            name === 'silent' ? SILENT : () => Promise.resolve({ code: 0x44, success: true });
        } else if (name === 'crash') {
          // Nothing of the old process does anything any more, as after kill -9.
          world.queue.stop();
          world.queue = world.next();
          await world.queue.resume();
        } else await world.settle();
      }
      world.device.reachable = true;
      world.device.answer = () => Promise.resolve({ code: 0x44, success: true });
      for (let i = 0; i < 3; i++) {
        world.queue.deviceHeard('a');
        await world.settle();
      }
      const count = (of: readonly string[], word: string) => of.filter((one) => one.startsWith(word)).length;
      assert.ok(count(world.device.calls, 'execute') <= count(made, 'execute'));
      const page = { after: 0, limit: 1000, endpoint: '', queuedBy: '', onlyOpen: true };
      assert.deepEqual(await world.store.operations.page(page), []);
      const writes = (await world.store.operations.page({ ...page, onlyOpen: false })).filter(
        ({ operation }) => operation.kind === 'write',
      );
      for (const { code, error } of writes) assert.ok(code === '2.04' || error === 'LWM2M_OPERATION_TIMEOUT');
    }),
    { numRuns: 40 },
  );
});
