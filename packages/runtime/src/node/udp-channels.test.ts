import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { AddressableChannel, Peer } from '../datagram-channel.ts';
import { FfiUdpChannel } from './ffi-udp-channel.ts';
import { UdpChannel, type UdpChannelOptions } from './udp-channel.ts';

interface Implementation {
  readonly name: string;
  readonly bind: (options?: UdpChannelOptions) => Promise<AddressableChannel>;
  readonly skip: string | false;
}

const ffiSkip = FfiUdpChannel.isAvailable()
  ? false
  : 'this runtime has no node:ffi, or it is another system than Linux';
const IMPLEMENTATIONS: readonly Implementation[] = [
  { name: 'UdpChannel', bind: (options) => UdpChannel.bind(options), skip: false },
  { name: 'FfiUdpChannel', bind: (options) => FfiUdpChannel.bind(options), skip: ffiSkip },
];

for (const { name, bind, skip } of IMPLEMENTATIONS) {
  describe(name, { skip }, () => {
    async function bound(t: TestContext, options?: UdpChannelOptions): Promise<AddressableChannel> {
      const channel = await bind(options);
      t.after(() => channel.close());
      return channel;
    }

    /** The first `count` datagrams that a channel gets, as text. */
    function collect(channel: AddressableChannel, count: number): Promise<string[]> {
      const { promise, resolve } = Promise.withResolvers<string[]>();
      const texts: string[] = [];
      channel.listen({
        datagram: (data) => {
          if (texts.push(Buffer.from(data).toString()) === count) resolve(texts);
        },
      });
      return promise;
    }

    test('carries a burst in order, though the sender reuses its buffer', async (t) => {
      const left = await bound(t);
      const right = await bound(t, { receiveBufferBytes: 1_048_576 });
      const got = collect(right, 200);
      const { address, port } = right.localAddress();
      const peer = left.peerAt(address, port);
      left.listen({ datagram: () => {} });
      const buffer = Buffer.alloc(8);
      for (let i = 0; i < 200; i++) {
        buffer.write(String(i).padEnd(8));
        left.send(buffer, peer);
      }
      const expected = Array.from({ length: 200 }, (_, i) => String(i).padEnd(8));
      assert.deepEqual(await got, expected);
      assert.equal(left.counters()['sent'], 200);
      assert.equal(right.counters()['received'], 200);
    });

    test('answers go to where a datagram came from, and the same address is the same key', async (t) => {
      const server = await bound(t);
      const clients = await Promise.all([bound(t), bound(t)]);
      const keys = new Set<string>();
      server.listen({
        datagram: (data, peer: Peer) => {
          keys.add(peer.key);
          server.send(data, peer);
        },
      });
      const { address, port } = server.localAddress();
      for (const [i, client] of clients.entries()) {
        const got = collect(client, 2);
        client.send(Buffer.from(`${i}a`), client.peerAt(address, port));
        client.send(Buffer.from(`${i}b`), { ...client.peerAt(address, port) });
        assert.deepEqual(await got, [`${i}a`, `${i}b`]);
      }
      assert.equal(keys.size, 2);
      const own = clients[0]?.localAddress();
      assert.ok(own && keys.has(server.peerAt(own.address, own.port).key));
    });

    test('rejects with the system error when its port is taken', async (t) => {
      const first = await bound(t);
      await assert.rejects(bind({ port: first.localAddress().port }), { code: 'EADDRINUSE' });
    });

    test('after close, sending is a counted drop', async (t) => {
      const channel = await bound(t);
      channel.listen({ datagram: () => {} });
      const peer = channel.peerAt('127.0.0.1', 9);
      await channel.close();
      await channel.close();
      channel.send(Buffer.from('late'), peer);
      assert.equal(channel.counters()['dropped.closed'], 1);
    });
  });
}
