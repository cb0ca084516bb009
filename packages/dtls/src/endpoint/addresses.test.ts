import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ContentType } from '../constants.ts';
import { createSoftwarePsk } from '../credentials/software-psk.ts';
import { ScriptedClient } from '../testing/scripted-client.ts';
import {
  closeWorld,
  connected,
  createWorld,
  echoes,
  PSK,
  SERVER_ADDRESS,
  SERVER_PORT,
  settled,
} from '../testing/simulated-world.ts';

describe('connection IDs', () => {
  test('are negotiated both ways, each side with a length of its own', async () => {
    const world = createWorld({ client: { connectionIdLength: 3 } });
    const peer = await connected(world);
    const info = world.client.endpoint.sessionInfo(peer);
    assert.equal(info?.sendCid?.length, 6);
    assert.equal(info.receiveCid?.length, 3);
    assert.ok(await echoes(world, peer, 'ping'));
  });

  for (const [what, client, server] of [
    ['a server that knows none', 0, undefined],
    ['a client that knows none', undefined, 6],
    ['two empty ones', 0, 0],
  ] as const) {
    test(`${what}: records go without`, async () => {
      const world = createWorld({
        client: { connectionIdLength: client },
        server: { connectionIdLength: server },
      });
      const peer = await connected(world);
      const info = world.client.endpoint.sessionInfo(peer);
      assert.deepEqual([info?.sendCid, info?.receiveCid], [undefined, undefined]);
      assert.ok(await echoes(world, peer, 'ping'));
      await closeWorld(world);
    });
  }

  test('a client behind a NAT that forgets keeps its session and its key', async () => {
    const world = createWorld();
    const peer = await connected(world);
    assert.ok(await echoes(world, peer, 'before'));
    world.network.rebind(world.client.channel, '10.0.0.77');
    assert.ok(await echoes(world, peer, 'after'));
    const [before, after] = world.server.log.datagrams;
    assert.equal(after?.peer, before?.peer);
    assert.equal(after?.peer.address, '10.0.0.77');
    assert.deepEqual(world.server.log.moved, [{ address: '10.0.0.2', port: 40_000 }]);
    assert.equal(world.server.endpoint.counters()['handshakes.completed'], 1);
    await closeWorld(world);
  });

  test('without one a new address is a stranger', async () => {
    const world = createWorld({ server: { connectionIdLength: undefined } });
    const peer = await connected(world);
    world.network.rebind(world.client.channel, '10.0.0.77');
    assert.equal(await echoes(world, peer, 'after'), false);
    assert.equal(world.server.endpoint.counters()['dropped.noSession'], 1);
  });

  test('a replayed, old or forged record from elsewhere moves nothing', async () => {
    const world = createWorld();
    const peer = await connected(world);
    const sent: Uint8Array[] = [];
    world.network.filter = (data) => {
      if (data[0] === ContentType.tls12_cid) sent.push(data.slice());
      return true;
    };
    world.client.endpoint.send(Buffer.from('one'), peer);
    world.client.endpoint.send(Buffer.from('two'), peer);
    await world.runtime.advance(10);
    const thief = new ScriptedClient(world);
    const [one, two] = sent;
    assert.ok(one && two);
    thief.sendRaw(one);
    const forged = two.slice();
    forged[10] = 99;
    thief.sendRaw(forged);
    await world.runtime.advance(10);
    assert.deepEqual(world.server.log.moved, []);
    const counters = world.server.endpoint.counters();
    assert.deepEqual([counters['dropped.replayed'], counters['dropped.forged']], [1, 1]);
  });

  test('a delayed record from the old address is delivered and moves the session not back', async () => {
    const world = createWorld();
    const peer = await connected(world);
    const held: Uint8Array[] = [];
    world.network.filter = (data) => {
      if (data[0] !== ContentType.tls12_cid || held.length > 0) return true;
      held.push(data.slice());
      return false;
    };
    world.client.endpoint.send(Buffer.from('old'), peer);
    world.network.rebind(world.client.channel, '10.0.0.77');
    assert.ok(await echoes(world, peer, 'new'));
    const [old] = held;
    assert.ok(old);
    new ScriptedClient(world).sendRaw(old);
    await world.runtime.advance(10);
    assert.deepEqual(
      world.server.log.datagrams.map(({ text }) => text),
      ['new', 'old'],
    );
    assert.equal(world.server.log.established[0]?.address, '10.0.0.77');
  });

  test('an unknown one is dropped and counted', async () => {
    const world = createWorld();
    new ScriptedClient(world).sendRaw(
      Uint8Array.from([25, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9, 9, 9, 0, 1, 0]),
    );
    await world.runtime.advance(10);
    assert.equal(world.server.endpoint.counters()['dropped.unknownCid'], 1);
  });
});

describe('a client that comes back from the same address (RFC 6347 §4.2.8)', () => {
  test('replaces its session once the new handshake is complete', async () => {
    const world = createWorld();
    await connected(world);
    world.client.endpoint.exportSessions();
    const peer = await connected(world);
    assert.ok(await echoes(world, peer, 'again'));
    assert.deepEqual(world.server.log.closed, ['replaced']);
    assert.equal(world.server.endpoint.sessionCount, 1);
    await closeWorld(world);
  });

  test('a ClientHello alone, even with a right cookie, touches the old session not', async () => {
    const world = createWorld({ server: { connectionIdLength: undefined } });
    const peer = await connected(world);
    // The same address, forged: answers go to the true client, so the cookie stays unknown.
    const { address, port } = world.client.channel.localAddress();
    const forger = world.network.bind('10.0.0.66');
    forger.move(address, port);
    const hello = new ScriptedClient(world);
    await hello.greet();
    for (const datagram of [Uint8Array.from([22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0])]) {
      world.network.carry(datagram, forger, `${SERVER_ADDRESS}:${SERVER_PORT}`);
    }
    await world.runtime.advance(10);
    assert.ok(await echoes(world, peer, 'still here'));
    assert.deepEqual(world.server.log.closed, []);
  });

  test('data of the old session is understood while the new handshake runs', async () => {
    const world = createWorld({ server: { connectionIdLength: undefined } });
    const peer = await connected(world);
    let finishedSeen = 0;
    world.network.filter = (data, from) => {
      // The server's answer to the new handshake is held up for a while.
      const isFlight = data[0] === ContentType.handshake && from.startsWith(SERVER_ADDRESS);
      return !(isFlight && finishedSeen++ < 3);
    };
    const again = world.client.endpoint.connect(SERVER_ADDRESS, SERVER_PORT, { psk: PSK });
    await world.runtime.advance(100);
    assert.ok(await echoes(world, peer, 'old session'));
    await settled(world, again);
    assert.deepEqual(world.server.log.closed, ['replaced']);
    assert.deepEqual(world.client.log.closed, ['replaced']);
  });

  test('another identity at a used address leaves the one that moved away alone', async () => {
    const other = createSoftwarePsk('meter-2', new Uint8Array(16));
    const known = new Map([PSK, other].map((psk) => [psk.identity, psk]));
    const world = createWorld({ serverSettings: { pskFor: (identity) => known.get(identity) } });
    const first = await connected(world);
    const { address, port } = world.client.channel.localAddress();
    world.network.rebind(world.client.channel, '10.0.0.77');
    const second = world.addClient();
    world.network.rebind(second.channel, address, port);
    await settled(world, second.endpoint.connect(SERVER_ADDRESS, SERVER_PORT, { psk: other }));
    assert.ok(await echoes(world, first, 'I moved'));
    assert.equal(world.server.endpoint.sessionCount, 2);
  });
});

describe('exported sessions', () => {
  test('go on in another endpoint, with their keys, in both directions, replays refused', async () => {
    const world = createWorld();
    const peer = await connected(world);
    const sent: Uint8Array[] = [];
    world.network.filter = (data) => sent.push(data.slice()) > 0;
    assert.ok(await echoes(world, peer, 'before'));
    const exported = world.server.endpoint.exportSessions();
    assert.equal(world.server.endpoint.sessionCount, 0);
    assert.ok(exported.length <= 512, `${exported.length} bytes`);
    const [imported] = world.server.endpoint.importSessions(exported);
    assert.equal(imported?.key, world.server.log.established[0]?.key);
    assert.deepEqual(imported?.identity, world.server.log.established[0]?.identity);
    const [replayed] = sent;
    assert.ok(replayed);
    new ScriptedClient(world).sendRaw(replayed);
    await world.runtime.advance(10);
    assert.equal(world.server.endpoint.counters()['dropped.replayed'], 1);
    assert.ok(await echoes(world, peer, 'after'));
    assert.equal(world.server.endpoint.counters()['handshakes.completed'], 1);
    assert.deepEqual(world.client.log.closed, []);
    await closeWorld(world);
  });

  test('of a client go on too', async () => {
    const world = createWorld();
    await connected(world);
    const exported = world.client.endpoint.exportSessions();
    const second = world.addClient();
    const [peer] = second.endpoint.importSessions(exported);
    assert.ok(peer);
    assert.ok(await echoes(world, peer, 'from elsewhere', second));
  });
});
