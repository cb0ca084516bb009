import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { encodeWholeMessage } from '../codec/handshake-fragment.ts';
import { encodeClientHello } from '../codec/hello.ts';
import { ContentType, HandshakeType } from '../constants.ts';
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

const hello = (cookie: Uint8Array, random: Uint8Array = new Uint8Array(32)): Uint8Array =>
  encodeWholeMessage(
    HandshakeType.client_hello,
    0,
    encodeClientHello({
      version: 0xfefd,
      random,
      sessionId: new Uint8Array(0),
      cookie,
      cipherSuites: [0xc0a8],
      compressionMethods: Uint8Array.of(0),
      extensions: new Map(),
    }),
  );

describe('a flood', () => {
  test('of ClientHellos without a cookie leaves no state and is answered with less than it sent', async () => {
    const world = createWorld();
    const flood = new ScriptedClient(world);
    for (let i = 0; i < 1000; i++) {
      flood.sendHandshake(hello(new Uint8Array(i % 40), world.runtime.rng.bytes(32)));
    }
    await flood.turn();
    const counters = world.server.endpoint.counters();
    assert.equal(counters['handshakes.underWay'], 0);
    assert.equal(counters['cookies.sent'], 1000);
    assert.ok(flood.datagrams.every((datagram) => datagram.length <= 48));
    assert.equal(world.runtime.activeTimers, 0);
  });

  test('of handshakes with cookies stops at the limits, per source and in all', async () => {
    const world = createWorld({ server: { limits: { maxHalfOpen: 3, maxHalfOpenPerSource: 2 } } });
    const clients = Array.from({ length: 5 }, () => new ScriptedClient(world));
    for (const client of clients) await client.greet();
    assert.equal(world.server.endpoint.counters()['handshakes.underWay'], 2);
    assert.equal(world.server.endpoint.counters()['dropped.limit'], 3);
    const other = world.client.endpoint.connect(SERVER_ADDRESS, SERVER_PORT, { psk: PSK });
    await settled(world, other);
    assert.equal(world.server.endpoint.sessionCount, 1);
    await world.runtime.advance(400_000);
    assert.equal(world.server.endpoint.counters()['handshakes.underWay'], 0);
    assert.equal(world.server.endpoint.counters()['handshakes.failed.timeout'], 2);
    await closeWorld(world);
  });

  test('a full session table makes room only for those that went silent long ago', async () => {
    const world = createWorld({ server: { limits: { maxSessions: 2, staleSessionMs: 300_000 } } });
    const [a, b, c] = [world.client, world.addClient(), world.addClient()];
    await connected(world, a);
    const peer = await connected(world, b);
    const refused = connected(world, c);
    await assert.rejects(refused, { context: { reason: 'timeout', alert: undefined } });
    assert.ok(await echoes(world, peer, 'alive', b));
    await world.runtime.advance(200_000);
    await connected(world, c);
    assert.deepEqual(world.server.log.closed, ['evicted']);
    assert.ok(await echoes(world, peer, 'still alive', b));
  });

  test('fragments ahead of their time are held up to a limit', async () => {
    const world = createWorld({ server: { limits: { maxReassembly: 2000, maxReassemblyInAll: 3000 } } });
    const clients = [new ScriptedClient(world), new ScriptedClient(world)];
    for (const client of clients) {
      await client.greet();
      for (let seq = 3; seq < 9; seq++) {
        client.sendHandshake(encodeWholeMessage(HandshakeType.certificate, seq, new Uint8Array(900)));
      }
      await client.turn();
    }
    // Two of 900 bytes fit for the first client, one more in all.
    assert.equal(world.server.endpoint.counters()['dropped.reassembly'], 4 + 5);
    await world.runtime.advance(400_000);
    await closeWorld(world);
  });

  test('a cookie is good for its address and its hello only', async () => {
    const world = createWorld();
    const honest = new ScriptedClient(world);
    honest.clientHello();
    await honest.turn();
    const [answer] = honest.datagrams;
    assert.ok(answer);
    const cookie = answer.slice(28);
    const thief = new ScriptedClient(world);
    thief.sendHandshake(hello(cookie));
    honest.sendHandshake(hello(cookie, new Uint8Array(32).fill(1)));
    await honest.turn();
    assert.equal(world.server.endpoint.counters()['handshakes.underWay'], 0);
  });

  test('a cookie lives through one change of the secret and not through two', async () => {
    for (const [waitMs, expected] of [
      [6 * 60_000, 1],
      [12 * 60_000, 0],
    ] as const) {
      const world = createWorld();
      const client = new ScriptedClient(world);
      client.clientHello();
      await client.turn();
      // Every answer looks at the clock; the secret changes with the first after five minutes.
      for (let passed = 0; passed < waitMs; passed += 60_000) {
        await world.runtime.advance(60_000);
        new ScriptedClient(world).clientHello();
        await client.turn();
      }
      client.clientHello();
      await client.turn();
      assert.equal(world.server.endpoint.counters()['handshakes.underWay'], expected, `${waitMs} ms`);
    }
  });

  test('of random datagrams changes nothing, whatever they look like', async () => {
    const world = createWorld();
    const peer = await connected(world);
    const attacker = new ScriptedClient(world);
    const types = fc.constantFrom(...Object.values(ContentType), 0, 255);
    const record = fc
      .tuple(types, fc.constantFrom(0, 1, 2), fc.nat(3), fc.uint8Array({ maxLength: 80 }))
      .map(([type, epoch, sequence, payload]) =>
        Uint8Array.from([type, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, sequence, 0, payload.length, ...payload]),
      );
    const datagrams = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      record,
      fc.array(record, { maxLength: 4 }).map((all) => Buffer.concat(all)),
    );
    await fc.assert(
      fc.asyncProperty(datagrams, async (datagram) => {
        attacker.sendRaw(datagram);
        await attacker.turn();
        assert.equal(world.server.endpoint.sessionCount, 1);
      }),
      { numRuns: 500 },
    );
    assert.ok(await echoes(world, peer, 'unmoved'));
    await world.runtime.advance(400_000);
    await closeWorld(world);
  });
});
