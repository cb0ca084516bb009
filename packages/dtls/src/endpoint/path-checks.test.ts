import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ContentType } from '../constants.ts';
import { closeWorld, connected, createWorld, echoes } from '../testing/simulated-world.ts';

const both = (length: number) => ({
  server: { connectionIdLength: 6, returnRoutability: true },
  client: { connectionIdLength: length, returnRoutability: true },
});

describe('return routability (RFC 9853)', () => {
  for (const length of [0, 4]) {
    test(`a session moves once its peer answered from the new address, client CID of ${length} bytes`, async () => {
      const world = createWorld(both(length));
      const peer = await connected(world);
      assert.ok(await echoes(world, peer, 'before'));
      world.network.rebind(world.client.channel, '10.0.0.77');
      const [seen] = world.server.log.established;
      world.client.endpoint.send(Buffer.from('after'), peer);
      await world.runtime.advance(1.5);
      assert.equal(seen?.address, '10.0.0.2', 'nothing is proven yet');
      await world.runtime.advance(100);
      assert.equal(seen?.address, '10.0.0.77');
      assert.equal(world.client.log.datagrams.at(-1)?.text, 'after');
      assert.deepEqual(world.server.log.moved, [{ address: '10.0.0.2', port: 40_000 }]);
      await closeWorld(world);
    });
  }

  test('an address that never answers gets three times what it sent, and the session stays where it was', async () => {
    const world = createWorld(both(0));
    const peer = await connected(world);
    await echoes(world, peer, 'before');
    let toNewAddress = 0;
    world.network.filter = (data, _from, to) => {
      if (!to.startsWith('10.0.0.77')) return true;
      toNewAddress += data.length;
      return false;
    };
    world.network.rebind(world.client.channel, '10.0.0.77');
    world.client.endpoint.send(Buffer.from('after'), peer);
    await world.runtime.advance(10);
    const [seen] = world.server.log.established;
    assert.ok(seen);
    for (let i = 0; i < 50; i++) world.server.endpoint.send(Buffer.from('flood'), seen);
    await world.runtime.advance(10);
    assert.ok(toNewAddress > 0 && toNewAddress < 250, `${toNewAddress} bytes`);
    assert.ok((world.server.endpoint.counters()['dropped.unvalidatedAddress'] ?? 0) > 40);
    await world.runtime.advance(2000);
    assert.equal(seen.address, '10.0.0.2');
    assert.equal(world.server.endpoint.counters()['dropped.pathTimeout'], 1);
    assert.deepEqual(world.server.log.moved, []);
    await closeWorld(world);
  });

  test('a peer that comes back to its old address is not asked any more', async () => {
    const world = createWorld(both(0));
    const peer = await connected(world);
    await echoes(world, peer, 'before');
    const { address, port } = world.client.channel.localAddress();
    world.network.filter = (_data, _from, to) => !to.startsWith('10.0.0.77');
    world.network.rebind(world.client.channel, '10.0.0.77');
    world.client.endpoint.send(Buffer.from('away'), peer);
    await world.runtime.advance(10);
    world.network.rebind(world.client.channel, address, port);
    assert.ok(await echoes(world, peer, 'back'));
    await world.runtime.advance(2000);
    assert.equal(world.server.endpoint.counters()['dropped.pathTimeout'], undefined);
  });

  test('is agreed on only when both sides want it, and only with connection IDs', async () => {
    for (const options of [
      { server: { connectionIdLength: 6 }, client: { connectionIdLength: 0, returnRoutability: true } },
      { server: { connectionIdLength: 6, returnRoutability: true }, client: { connectionIdLength: 0 } },
    ]) {
      const world = createWorld(options);
      const peer = await connected(world);
      world.network.rebind(world.client.channel, '10.0.0.77');
      assert.ok(await echoes(world, peer, 'after'));
      assert.equal(world.server.log.moved.length, 1);
    }
    const without = createWorld({
      server: { connectionIdLength: undefined, returnRoutability: true },
      client: { connectionIdLength: undefined, returnRoutability: true },
    });
    assert.ok(await echoes(without, await connected(without), 'plain'));
  });

  test('unprotected checks are no records', async () => {
    const world = createWorld(both(0));
    await connected(world);
    const { address, port } = world.server.endpoint.localAddress();
    const stranger = world.network.bind('10.0.0.5');
    const record = [
      ContentType.return_routability_check,
      0xfe,
      0xfd,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      9,
      0,
      ...new Uint8Array(8),
    ];
    stranger.send(Uint8Array.from(record), stranger.peerAt(address, port));
    await world.runtime.advance(10);
    assert.equal(world.server.endpoint.counters()['dropped.malformed'], 1);
  });

  test('survives export and import', async () => {
    const world = createWorld(both(0));
    const peer = await connected(world);
    world.server.endpoint.importSessions(world.server.endpoint.exportSessions());
    world.network.rebind(world.client.channel, '10.0.0.77');
    assert.ok(await echoes(world, peer, 'after'));
    assert.equal(world.server.log.moved.length, 1);
    await closeWorld(world);
  });
});
