import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimNetwork, SimRuntime } from './index.ts';

test('timers run in order of their time and then of their start, on a virtual clock', async () => {
  const runtime = new SimRuntime(1);
  const seen: string[] = [];
  runtime.timers.after(20, () => seen.push('late'));
  runtime.timers.after(10, () => seen.push('first'));
  runtime.timers.after(10, () => seen.push('second'));
  runtime.timers.after(15, () => seen.push('never')).cancel();
  await runtime.advance(10);
  assert.deepEqual(seen, ['first', 'second']);
  assert.equal(runtime.clock.monotonicMs(), 10);
  await runtime.advance(100);
  assert.deepEqual(seen, ['first', 'second', 'late']);
  assert.equal(runtime.activeTimers, 0);
});

test('a seed repeats loss, duplication and order', async () => {
  const run = async (seed: number): Promise<number[]> => {
    const runtime = new SimRuntime(seed);
    const network = new SimNetwork(runtime, { loss: 0.3, duplicate: 0.2, delayMsMin: 1, delayMsMax: 50 });
    const [a, b] = [network.bind('10.0.0.1'), network.bind('10.0.0.2')];
    const got: number[] = [];
    b.listen({ datagram: (data) => got.push(data[0] ?? -1) });
    const { address, port } = b.localAddress();
    for (let i = 0; i < 100; i++) a.send(Uint8Array.of(i), a.peerAt(address, port));
    await runtime.advance(100);
    return got;
  };
  const first = await run(42);
  assert.deepEqual(await run(42), first);
  assert.notDeepEqual(await run(43), first);
  assert.ok(first.length > 50 && new Set(first).size < 100);
});

test('a rebound channel sends from its new address and hears only there', async () => {
  const runtime = new SimRuntime(1);
  const network = new SimNetwork(runtime);
  const [device, server] = [network.bind('10.0.0.1', 1000), network.bind('10.0.0.2', 5684)];
  const heard: string[] = [];
  server.listen({ datagram: (_data, peer) => heard.push(peer.key) });
  device.send(Uint8Array.of(1), device.peerAt('10.0.0.2', 5684));
  network.rebind(device, '10.0.0.9', 2000);
  device.send(Uint8Array.of(2), device.peerAt('10.0.0.2', 5684));
  await runtime.advance(10);
  assert.deepEqual(heard, ['10.0.0.1:1000', '10.0.0.9:2000']);
});
