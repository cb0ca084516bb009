import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, test } from 'node:test';
import { isSefleetError } from '@sefleet/errors';
import fc from 'fast-check';
import { createSoftwareSigningKey } from '../credentials/software-signing-key.ts';
import { ContentType } from '../constants.ts';
import { createResumptionCache } from '../session/resumption-cache.ts';
import type { DtlsServerSettings } from '../settings.ts';
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

const key = () =>
  createSoftwareSigningKey({
    privateKey: generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey,
  });
const [serverKey, clientKey] = [key(), key()];
const trust = { rawPublicKey: () => true };
const mutual: Partial<DtlsServerSettings> = {
  signingKeyFor: () => serverKey,
  clientAuthentication: 'required',
  trust,
};

describe('lost and broken up flights', () => {
  test('any one datagram may be lost: the timers bring a session about', async () => {
    for (const resume of [false, true]) {
      for (let lost = 0; lost < 8; lost++) {
        const world = createWorld({ serverSettings: { resumption: createResumptionCache({ capacity: 1 }) } });
        const settings = resume ? { psk: PSK, resume: await resumptionOf(world) } : { psk: PSK };
        let count = 0;
        world.network.filter = () => count++ !== lost;
        const peer = await settled(
          world,
          world.client.endpoint.connect(SERVER_ADDRESS, SERVER_PORT, settings),
        );
        world.network.filter = undefined;
        await world.runtime.advance(100_000);
        assert.ok(await echoes(world, peer, `lost ${lost}`), `resume ${resume}, datagram ${lost}`);
        await closeWorld(world);
      }
    }
  });

  test('data that overtakes the last flight waits for it', async () => {
    const world = createWorld({ serverSettings: { resumption: createResumptionCache({ capacity: 1 }) } });
    const resume = await resumptionOf(world);
    // The client speaks last when it resumes: its Finished is lost, its data arrives.
    let lost = 0;
    world.network.filter = (data, from) =>
      !(from.startsWith('10.0.0.2') && data[0] === ContentType.change_cipher_spec && lost++ === 0);
    const peer = await settled(
      world,
      world.client.endpoint.connect(SERVER_ADDRESS, SERVER_PORT, { psk: PSK, resume }),
    );
    world.client.endpoint.send(Buffer.from('early'), peer);
    await world.runtime.advance(100);
    assert.equal(world.server.log.datagrams.length, 0);
    await world.runtime.advance(5000);
    assert.deepEqual(
      world.server.log.datagrams.map(({ text }) => text),
      ['early'],
    );
    await closeWorld(world);
  });

  test('small MTUs cut flights into fragments that fit', async () => {
    for (const mtu of [128 + 6, 200, 300]) {
      const world = createWorld({
        conditions: { mtu },
        server: { mtu },
        client: { mtu },
        serverSettings: mutual,
      });
      const settings = { trust, signingKey: clientKey };
      const peer = await settled(world, world.client.endpoint.connect(SERVER_ADDRESS, SERVER_PORT, settings));
      assert.ok(await echoes(world, peer, 'ping'));
      await closeWorld(world);
    }
  });

  test('a path that swallows large datagrams is found out by smaller ones after two time-outs', async () => {
    const world = createWorld({ serverSettings: { ...mutual, pskIdentityHint: 'x'.repeat(700) } });
    world.network.filter = (data) => data.length <= 548;
    const peer = await settled(
      world,
      world.client.endpoint.connect(SERVER_ADDRESS, SERVER_PORT, {
        psk: PSK,
        cipherSuites: ['TLS_PSK_WITH_AES_128_CCM_8'],
      }),
    );
    assert.ok(await echoes(world, peer, 'through'));
  });

  test('under loss, duplication and reordering a mutual handshake succeeds or fails with a reason, and leaves nothing', async () => {
    const conditions = fc.record({
      loss: fc.integer({ min: 0, max: 30 }).map((percent) => percent / 100),
      duplicate: fc.integer({ min: 0, max: 30 }).map((percent) => percent / 100),
      delayMsMin: fc.constant(1),
      delayMsMax: fc.integer({ min: 1, max: 800 }),
    });
    await fc.assert(
      fc.asyncProperty(conditions, fc.nat(), async (network, seed) => {
        const world = createWorld({
          seed,
          conditions: network,
          server: { mtu: 300 },
          serverSettings: mutual,
        });
        const settings = { trust, signingKey: clientKey };
        const outcome = await settled(
          world,
          world.client.endpoint.connect(SERVER_ADDRESS, SERVER_PORT, settings).then(
            () => 'session',
            (error: unknown) => (isSefleetError(error) ? error.code : String(error)),
          ),
        );
        assert.ok(outcome === 'session' || outcome === 'DTLS_HANDSHAKE_FAILED', outcome);
        await world.runtime.advance(400_000);
        await closeWorld(world);
      }),
      { numRuns: 60 },
    );
  });
});

async function resumptionOf(world: ReturnType<typeof createWorld>): Promise<Uint8Array> {
  const peer = await connected(world);
  const resume = world.client.endpoint.resumptionState(peer);
  assert.ok(resume);
  world.client.endpoint.closePeer(peer);
  await world.runtime.advance(100);
  return resume;
}
