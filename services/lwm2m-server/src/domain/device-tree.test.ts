import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SefleetError } from '@sefleet/errors';
import { omaModels } from '@sefleet/lwm2m';
import { SimRuntime } from '@sefleet/runtime/sim';
import { FakeDevice } from '../testing/fake-device.ts';
import { readDeviceTree } from './device-tree.ts';
import type { TreeRequest } from './device-tree.ts';

/** Registered are `/1/0` and `/3/0`. */
function request(device: FakeDevice, runtime: SimRuntime): TreeRequest {
  return {
    device,
    depth: 3,
    values: false,
    check: () => {},
    models: omaModels(),
    timers: runtime.timers,
    signal: new AbortController().signal,
  };
}

class TalkativeDevice extends FakeDevice {
  override discover() {
    const linkFormat = '<'.repeat(700_000);
    return Promise.resolve({ code: 0x45, success: true, links: [] as [], linkFormat });
  }
}

test('ends where an answer becomes too large', async () => {
  const tree = await readDeviceTree(request(new TalkativeDevice('meter'), new SimRuntime(1)));
  assert.equal(tree.truncated, true);
  assert.deepEqual(
    tree.objects.map(({ error }) => error),
    ['', 'LWM2M_TREE_BOUND'],
  );
});

class SilentDevice extends FakeDevice {
  override discover(_path?: unknown, { signal }: { readonly signal?: AbortSignal } = {}) {
    return new Promise<never>((_resolve, reject) => {
      signal?.addEventListener('abort', () => reject(new SefleetError('TEST_ABORTED', 'peer', 'aborted')));
    });
  }
}

test('ends after a minute with what is registered', async () => {
  const runtime = new SimRuntime(2);
  const reading = readDeviceTree(request(new SilentDevice('meter'), runtime));
  await runtime.advance(60_000);
  const tree = await reading;
  assert.equal(tree.truncated, true);
  assert.deepEqual(
    tree.objects.map(({ error, nodes }) => [error, nodes.map(({ path }) => path)]),
    [
      ['LWM2M_TREE_BOUND', ['/1/0']],
      ['LWM2M_TREE_BOUND', ['/3/0']],
    ],
  );
});

test('ends when the caller is gone', async () => {
  const caller = new AbortController();
  const device = new SilentDevice('meter');
  const reading = readDeviceTree({ ...request(device, new SimRuntime(3)), signal: caller.signal });
  caller.abort();
  await assert.rejects(reading, { code: 'TEST_ABORTED' });
});
