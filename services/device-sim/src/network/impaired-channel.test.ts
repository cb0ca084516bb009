import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AddressableChannel } from '@sefleet/runtime';
import { createSeededRng, SimNetwork, SimRuntime } from '@sefleet/runtime/sim';
import { bindImpaired } from './impaired-channel.ts';
import { CLEAR_NETWORK, isClear, type NetworkConditions } from './network-conditions.ts';

interface Path {
  readonly runtime: SimRuntime;
  readonly device: AddressableChannel;
  readonly atServer: string[];
  readonly atDevice: number[];
}

/** A server that answers each datagram with the same bytes, behind a path under `conditions`. */
async function path(conditions: Partial<NetworkConditions>, seed = 1): Promise<Path> {
  const runtime = new SimRuntime(seed);
  const network = new SimNetwork(runtime);
  const server = network.bind('10.0.0.1', 5684);
  const atServer: string[] = [];
  const atDevice: number[] = [];
  server.listen({
    datagram: (data, peer) => {
      atServer.push(`${data[0]} from ${peer.port}`);
      server.send(data, peer);
    },
  });
  const device = await bindImpaired({
    runtime,
    rng: createSeededRng(seed),
    conditions: { ...CLEAR_NETWORK, ...conditions },
    bind: () => Promise.resolve(network.bind('10.1.0.1')),
  });
  device.listen({ datagram: (data) => void atDevice.push(data[0] ?? -1) });
  return { runtime, device, atServer, atDevice };
}

async function sendMany({ runtime, device }: Path, count: number, everyMs = 10): Promise<void> {
  const peer = device.peerAt('10.0.0.1', 5684);
  const buffer = new Uint8Array(1);
  for (let i = 0; i < count; i++) {
    buffer[0] = i & 0xff;
    device.send(buffer, peer);
    await runtime.advance(everyMs);
  }
  await runtime.advance(1000);
}

test('a clear path changes nothing', async () => {
  const clear = await path({});
  await sendMany(clear, 50);
  assert.deepEqual(
    clear.atDevice,
    Array.from({ length: 50 }, (_, i) => i),
  );
  assert.ok(isClear(CLEAR_NETWORK));
  assert.ok(!isClear({ ...CLEAR_NETWORK, rebindEveryMs: 1 }));
});

test('loses the share that it is told to, in both directions', async () => {
  const lossy = await path({ lossShare: 0.2 });
  await sendMany(lossy, 1000, 1);
  assert.ok(Math.abs(lossy.atServer.length / 1000 - 0.8) < 0.05);
  assert.ok(Math.abs(lossy.atDevice.length / 1000 - 0.64) < 0.06);
  assert.equal(lossy.device.counters()['path.lost'], 1000 - lossy.atDevice.length);
});

test('delays, and lets datagrams overtake each other, without mixing up their bytes', async () => {
  const slow = await path({ delayMsMin: 20, delayMsMax: 120 });
  await sendMany(slow, 100);
  assert.notDeepEqual(
    slow.atDevice,
    slow.atDevice.toSorted((a, b) => a - b),
  );
  assert.deepEqual(
    slow.atDevice.toSorted((a, b) => a - b),
    Array.from({ length: 100 }, (_, i) => i),
  );
});

test('doubles the share that it is told to', async () => {
  const echoing = await path({ duplicateShare: 0.5 });
  await sendMany(echoing, 400, 1);
  assert.ok(Math.abs(echoing.atServer.length / 400 - 1.5) < 0.1);
});

test('the same seed gives the same faults', async () => {
  const conditions = { lossShare: 0.3, duplicateShare: 0.1, delayMsMin: 1, delayMsMax: 50 };
  const [first, second] = [await path(conditions, 9), await path(conditions, 9)];
  await sendMany(first, 100);
  await sendMany(second, 100);
  assert.deepEqual(first.atDevice, second.atDevice);
});

test('a NAT that forgets gives a new address, and answers go there', async () => {
  const roaming = await path({ rebindEveryMs: 300 });
  await sendMany(roaming, 100);
  const ports = new Set(roaming.atServer.map((line) => line.split(' ').at(-1)));
  assert.ok(ports.size >= 3);
  assert.ok(roaming.atDevice.length >= 100 - ports.size);
  await roaming.device.close();
  await roaming.runtime.advance(10_000);
  assert.equal(roaming.runtime.activeTimers, 0);
});
