import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AddressableChannel } from '@sefleet/runtime';
import { SimNetwork, SimRuntime } from '@sefleet/runtime/sim';
import { DeviceSockets } from './device-sockets.ts';

const SERVERS = ['10.0.0.1', '10.0.0.2', '10.0.0.3'] as const;
const PORT = 5684;

/** Servers that answer with their own last number, and devices with sockets. */
function bench() {
  const runtime = new SimRuntime(1);
  const network = new SimNetwork(runtime);
  for (const [i, address] of SERVERS.entries()) {
    const server = network.bind(address, PORT);
    server.listen({ datagram: (_data, peer) => server.send(Uint8Array.of(i + 1), peer) });
  }
  const open = new Set<AddressableChannel>();
  const sockets = new DeviceSockets(async () => {
    const channel = network.bind('10.1.0.1');
    const close = channel.close.bind(channel);
    channel.close = () => {
      open.delete(channel);
      return close();
    };
    open.add(channel);
    return channel;
  });
  const connect = async (device: string, address: string) => {
    const heard: number[] = [];
    const channel = await sockets.open(device, address, PORT);
    channel.listen({ datagram: (data) => void heard.push(data[0] ?? -1) });
    const say = (): void => channel.send(Uint8Array.of(0), channel.peerAt(address, PORT));
    return { channel, heard, say };
  };
  return { runtime, open, sockets, connect };
}

test('a device speaks to several servers from one socket, and hears from each what is its own', async () => {
  const { runtime, open, connect } = bench();
  const conversations = await Promise.all(SERVERS.map((address) => connect('meter-1', address)));
  assert.equal(open.size, 1);
  for (const { say } of conversations) say();
  await runtime.advance(1000);
  assert.deepEqual(
    conversations.map(({ heard }) => heard),
    [[1], [2], [3]],
  );
  for (const { channel } of conversations.slice(1)) await channel.close();
  assert.equal(open.size, 1);
  conversations[0]?.say();
  await runtime.advance(1000);
  assert.deepEqual(conversations[0]?.heard, [1, 1]);
  await conversations[0].channel.close();
  assert.equal(open.size, 0);
});

test('a conversation that begins anew has another socket, and the old one is deaf', async () => {
  const { runtime, open, connect } = bench();
  const [first] = await Promise.all([connect('meter-1', SERVERS[0]), connect('meter-1', SERVERS[1])]);
  first.say();
  await first.channel.close();
  const second = await connect('meter-1', SERVERS[0]);
  assert.equal(open.size, 2);
  assert.notEqual(second.channel.localAddress().port, first.channel.localAddress().port);
  first.say();
  second.say();
  await runtime.advance(1000);
  assert.deepEqual([first.heard, second.heard], [[], [1]]);
});

test('devices share no socket, and one that the system refuses leaves nothing behind', async () => {
  const { open, connect } = bench();
  await Promise.all([connect('meter-1', SERVERS[0]), connect('meter-2', SERVERS[0])]);
  assert.equal(open.size, 2);
  let bound = 0;
  const refusing = new DeviceSockets(async () => {
    if (bound++ === 0) throw Object.assign(new RangeError('too many open files'), { code: 'EMFILE' });
    return new SimNetwork(new SimRuntime(1)).bind('10.1.0.1');
  });
  await assert.rejects(refusing.open('meter-1', SERVERS[0], PORT), { code: 'EMFILE' });
  await refusing.open('meter-1', SERVERS[0], PORT);
  assert.equal(bound, 2);
});
