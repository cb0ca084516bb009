import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, test } from 'node:test';
import { createSoftwareKeyAgreement } from '../credentials/software-key-agreement.ts';
import { createSoftwarePsk } from '../credentials/software-psk.ts';
import { createSoftwareSigningKey } from '../credentials/software-signing-key.ts';
import { createResumptionCache } from '../session/resumption-cache.ts';
import type { CipherSuiteName } from '../cipher-suites.ts';
import type { DtlsClientSettings } from '../settings.ts';
import {
  closeWorld,
  connected,
  createWorld,
  echoes,
  PSK,
  PSK_IDENTITY,
  PSK_KEY,
  SERVER_ADDRESS,
  SERVER_PORT,
  settled,
  type World,
} from '../testing/simulated-world.ts';

const rawKey = () =>
  createSoftwareSigningKey({
    privateKey: generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey,
  });
const serverKey = rawKey();
const trustAnyKey = { rawPublicKey: () => true };

function connect(world: World, settings: DtlsClientSettings, client = world.client) {
  return settled(world, client.endpoint.connect(SERVER_ADDRESS, SERVER_PORT, settings));
}

describe('handshake and data', () => {
  test('a PSK handshake gives both sides a peer that they can talk to', async () => {
    const world = createWorld();
    const peer = await connected(world);
    assert.ok(await echoes(world, peer, 'ping'));
    const [seen] = world.server.log.datagrams;
    assert.deepEqual(seen?.peer.identity, { kind: 'psk', identity: PSK_IDENTITY });
    assert.equal(world.server.endpoint.counters()['handshakes.completed'], 1);
    assert.equal(world.server.endpoint.counters()['cipherSuite.TLS_PSK_WITH_AES_128_CCM_8'], 1);
    await closeWorld(world);
  });

  const suites: readonly [CipherSuiteName, DtlsClientSettings][] = [
    ['TLS_PSK_WITH_AES_128_CCM_8', { psk: PSK }],
    ['TLS_PSK_WITH_AES_128_CCM', { psk: PSK }],
    ['TLS_PSK_WITH_AES_128_GCM_SHA256', { psk: PSK }],
    ['TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256', { psk: PSK }],
    ['TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8', { trust: trustAnyKey }],
    ['TLS_ECDHE_ECDSA_WITH_AES_128_CCM', { trust: trustAnyKey, signingKey: rawKey() }],
    ['TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', { trust: trustAnyKey, signingKey: rawKey() }],
  ];
  for (const [suite, settings] of suites) {
    for (const group of ['secp256r1', 'x25519'] as const) {
      test(`${suite} over ${group}`, async () => {
        const keyAgreement = createSoftwareKeyAgreement([group]);
        const world = createWorld({
          client: { keyAgreement },
          serverSettings: {
            signingKeyFor: () => serverKey,
            clientAuthentication: 'optional',
            trust: trustAnyKey,
          },
        });
        // RFC 8422 §5.1.1: the curve of the certificate is offered as well.
        const peer = await connect(world, { ...settings, cipherSuites: [suite] });
        assert.equal(world.client.endpoint.sessionInfo(peer)?.cipherSuite, suite);
        assert.ok(await echoes(world, peer, 'ping'));
        await closeWorld(world);
      });
    }
  }

  test('both sides see the raw public key of the other', async () => {
    const clientKey = rawKey();
    const world = createWorld({
      serverSettings: {
        signingKeyFor: () => serverKey,
        clientAuthentication: 'required',
        trust: trustAnyKey,
      },
    });
    const peer = await connect(world, { trust: trustAnyKey, signingKey: clientKey });
    assert.deepEqual(peer.identity, {
      kind: 'rpk',
      subjectPublicKeyInfo: new Uint8Array(serverKey.subjectPublicKeyInfo ?? []),
    });
    const [established] = world.server.log.established;
    assert.deepEqual(established?.identity, {
      kind: 'rpk',
      subjectPublicKeyInfo: new Uint8Array(clientKey.subjectPublicKeyInfo ?? []),
    });
  });

  test('key providers may take their time', async () => {
    const slow = <T>(value: T): Promise<T> => Promise.resolve().then(() => value);
    const world = createWorld({ serverSettings: { pskFor: async () => await slow(slowPsk) } });
    const slowPsk = {
      identity: PSK_IDENTITY,
      masterSecret: async (request: Parameters<typeof PSK.masterSecret>[0]) =>
        slow(await PSK.masterSecret(request)),
    };
    for (const suite of ['TLS_PSK_WITH_AES_128_CCM_8', 'TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256'] as const) {
      const peer = await connect(world, { psk: slowPsk, cipherSuites: [suite] });
      assert.ok(await echoes(world, peer, suite));
      assert.equal(world.runtime.clock.monotonicMs() < 4000, true, 'no retransmission was needed');
    }
  });

  test('a datagram that fits no record is dropped and counted', async () => {
    const world = createWorld();
    const peer = await connected(world);
    const max = world.client.endpoint.maxPayload(peer);
    assert.ok(await echoes(world, peer, 'x'.repeat(max)));
    assert.equal(await echoes(world, peer, 'x'.repeat(max + 1)), false);
    assert.equal(world.client.endpoint.counters()['dropped.tooLarge'], 1);
  });

  test('the record size limit of RFC 8449 bounds what is sent', async () => {
    const world = createWorld({ client: { recordSizeLimit: 64 }, server: { recordSizeLimit: 128 } });
    const peer = await connected(world);
    const [serverPeer] = world.server.endpoint.peers();
    assert.ok(serverPeer);
    assert.equal(world.server.endpoint.maxPayload(serverPeer), 64);
    // The client puts the server's connection ID on its records, and with it the content type inside.
    assert.equal(world.client.endpoint.maxPayload(peer), 127);
  });

  test('what is sent to a peer that is gone is dropped and counted', async () => {
    const world = createWorld();
    const peer = await connected(world);
    world.client.endpoint.closePeer(peer);
    world.client.endpoint.send(Buffer.from('late'), peer);
    assert.equal(world.client.endpoint.counters()['dropped.noSession'], 1);
  });
});

describe('failures', () => {
  for (const [reason, psk] of [
    ['wrongKey', createSoftwarePsk(PSK_IDENTITY, new Uint8Array(16))],
    ['unknownIdentity', createSoftwarePsk('nobody', PSK_KEY)],
  ] as const) {
    test(`${reason}: the client is told decrypt_error and nothing else`, async () => {
      const world = createWorld();
      const failed = connect(world, { psk, cipherSuites: ['TLS_PSK_WITH_AES_128_CCM_8'] });
      await assert.rejects(failed, {
        code: 'DTLS_HANDSHAKE_FAILED',
        context: { reason: 'alertReceived', alert: 51 },
      });
      const [failure] = world.server.log.failures;
      assert.deepEqual([failure?.reason, failure?.identity, failure?.alert], [reason, psk.identity, 51]);
      assert.equal(world.server.endpoint.counters()[`handshakes.failed.${reason}`], 1);
      assert.equal(world.server.endpoint.sessionCount, 0);
      await closeWorld(world);
    });
  }

  test('no suite in common', async () => {
    const world = createWorld({ serverSettings: { cipherSuites: ['TLS_PSK_WITH_AES_128_CCM'] } });
    const failed = connect(world, { psk: PSK, cipherSuites: ['TLS_PSK_WITH_AES_128_CCM_8'] });
    await assert.rejects(failed, { context: { reason: 'alertReceived', alert: 40 } });
    assert.equal(world.server.log.failures[0]?.reason, 'noSharedCipherSuite');
  });

  test('a silent server is given up after the last time-out', async () => {
    const world = createWorld({ conditions: { loss: 1 } });
    await assert.rejects(connected(world), {
      code: 'DTLS_HANDSHAKE_FAILED',
      context: { reason: 'timeout', alert: undefined },
    });
    // 1 + 2 + 4 + 8 + 16 + 32 + 60 seconds.
    assert.equal(Math.round(world.runtime.clock.monotonicMs() / 1000), 123);
    await closeWorld(world);
  });

  test('a key that is not trusted', async () => {
    const world = createWorld({ serverSettings: { signingKeyFor: () => serverKey } });
    const failed = connect(world, { trust: { rawPublicKey: () => false } });
    await assert.rejects(failed, { context: { reason: 'unknownCa', alert: 46 } });
    await world.runtime.advance(100);
    assert.equal(world.server.log.failures[0]?.reason, 'alertReceived');
  });

  test('a client without a key where one is required', async () => {
    const world = createWorld({
      serverSettings: {
        signingKeyFor: () => serverKey,
        clientAuthentication: 'required',
        trust: trustAnyKey,
      },
    });
    await assert.rejects(connect(world, { trust: trustAnyKey }), {
      context: { reason: 'alertReceived', alert: 40 },
    });
    assert.equal(world.server.log.failures[0]?.reason, 'certificateMissing');
  });

  test('a key provider that breaks down', async () => {
    const broken = {
      identity: PSK_IDENTITY,
      masterSecret: () => Promise.reject(new RangeError('card removed')),
    };
    const world = createWorld();
    await assert.rejects(connect(world, { psk: broken }), { context: { reason: 'keyProvider', alert: 80 } });
    await world.runtime.advance(100);
    assert.equal(world.server.log.failures[0]?.alert, 80);
    await closeWorld(world);
  });

  test('settings without credentials are refused before anything is sent', async () => {
    const world = createWorld();
    await assert.rejects(connect(world, {}), { code: 'DTLS_SETTINGS' });
    await assert.rejects(connect(world, { psk: PSK, cipherSuites: ['TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8'] }), {
      code: 'DTLS_SETTINGS',
    });
    assert.equal(world.client.channel.counters()['sent'], 0);
  });

  test('options outside of their ranges are refused by name', () => {
    assert.throws(() => createWorld({ client: { mtu: 10 } }), { code: 'DTLS_SETTINGS', message: /mtu/ });
    assert.throws(() => createWorld({ client: { connectionIdLength: 256 } }), { code: 'DTLS_SETTINGS' });
    assert.throws(() => createWorld({ client: { limits: { maxSessions: 0 } } }), { code: 'DTLS_SETTINGS' });
  });

  test('connecting on a closed endpoint is refused; closing ends what is under way', async () => {
    const world = createWorld();
    const pending = world.client.endpoint.connect(SERVER_ADDRESS, SERVER_PORT, { psk: PSK });
    const failed = assert.rejects(pending, { context: { reason: 'shutdown', alert: 90 } });
    await world.client.endpoint.close();
    await failed;
    await assert.rejects(connected(world), { code: 'DTLS_ENDPOINT_CLOSED' });
  });
});

describe('resumption', () => {
  const resumable = () =>
    createWorld({ serverSettings: { resumption: createResumptionCache({ capacity: 4 }) } });

  test('a session id saves the key exchange', async () => {
    const world = resumable();
    const first = await connected(world);
    const resume = world.client.endpoint.resumptionState(first);
    assert.ok(resume);
    world.client.endpoint.closePeer(first);
    const second = await connect(world, { psk: PSK, resume });
    assert.equal(world.client.endpoint.sessionInfo(second)?.resumed, true);
    assert.ok(await echoes(world, second, 'again'));
    assert.deepEqual(world.server.log.established[1]?.identity, { kind: 'psk', identity: PSK_IDENTITY });
    assert.equal(world.server.endpoint.counters()['handshakes.resumed'], 1);
    await closeWorld(world);
  });

  test('a server that forgot the session makes a full handshake', async () => {
    const world = resumable();
    const first = await connected(world);
    const resume = world.client.endpoint.resumptionState(first);
    assert.ok(resume);
    const other = createWorld({
      seed: 2,
      serverSettings: { resumption: createResumptionCache({ capacity: 4 }) },
    });
    const second = await settled(
      other,
      other.client.endpoint.connect(SERVER_ADDRESS, SERVER_PORT, { psk: PSK, resume }),
    );
    assert.equal(other.client.endpoint.sessionInfo(second)?.resumed, false);
  });

  test('a damaged state is refused', async () => {
    const world = resumable();
    await assert.rejects(connect(world, { psk: PSK, resume: Uint8Array.of(1, 2) }), { code: 'DTLS_DECODE' });
  });
});

describe('ending', () => {
  test('close_notify ends the session on both sides', async () => {
    const world = createWorld();
    const peer = await connected(world);
    world.client.endpoint.closePeer(peer);
    await world.runtime.advance(100);
    assert.equal(world.server.endpoint.sessionCount, 0);
    assert.deepEqual(world.client.log.closed, ['closed']);
    assert.deepEqual(world.server.log.closed, ['peerClosed']);
    assert.equal(world.server.log.gone[0]?.peer, world.server.log.established[0]);
    await closeWorld(world);
  });

  test('closing an endpoint says goodbye to every peer', async () => {
    const world = createWorld();
    await connected(world);
    await world.server.endpoint.close();
    await world.runtime.advance(100);
    assert.deepEqual(world.client.log.closed, ['peerClosed']);
    await closeWorld(world);
  });
});
