/**
 * OMA enabler test cases LightweightM2M-1.1-int-0 to int-9: bootstrap. Our client against our bootstrap
 * server and our management server.
 */
import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { it } from 'node:test';
import { CODE, createCoapEndpoint } from '@sefleet/coap';
import type { CoapEndpoint, CoapRequest, CoapRequestInit, CoapResponse } from '@sefleet/coap';
import { createSoftwarePsk, createSoftwareSigningKey } from '@sefleet/dtls';
import { bootstrapFromCard, CONTENT_FORMAT, encodeBootstrapFile, encodeContent } from '@sefleet/lwm2m';
import { createRootAuthority, issueCertificate } from '@sefleet/pki';
import { accountOf, ENDPOINT, entry, models, OmaWorld, path, uriOf } from './oma-world.ts';

const KEY = new TextEncoder().encode('a key of the test');
const pskServer = { pskFor: (identity: string) => createSoftwarePsk(identity, KEY) };

it('int-0 Client Initiated Bootstrap', async () => {
  const world = new OmaWorld();
  world.addBootstrapAccount();
  world.configuration = { deletes: [], writes: accountOf(uriOf('first')) };
  await world.run(world.client.start());
  assert.deepEqual(world.bootstrapLog, ['requested', 'finished']);
  assert.deepEqual(world.first.log, [`registered ${ENDPOINT} 300`]);
});

it('int-1 Client Initiated Bootstrap Full (PSK)', async () => {
  const world = new OmaWorld({ dtls: pskServer });
  world.addBootstrapAccount(true);
  world.configuration = { deletes: [path('/')], writes: accountOf(uriOf('first', true)) };
  await world.run(world.client.start());
  assert.deepEqual(world.bootstrapLog, ['requested', 'finished']);
  assert.deepEqual(world.first.log, [`registered ${ENDPOINT} 300`]);
  assert.equal(world.first.peer?.identity.kind, 'psk');
});

it('int-2 Client Initiated Bootstrap Full (Certificate)', async () => {
  const from = new Date(Date.UTC(2025, 0, 1));
  const until = new Date(Date.UTC(2035, 0, 1));
  const root = await createRootAuthority('oma root', from, until);
  const credential = async (commonName: string) => {
    const issued = await issueCertificate(root, {
      commonName,
      clientAuth: true,
      serverAuth: true,
      notBefore: from,
      notAfter: until,
    });
    return createSoftwareSigningKey({
      privateKey: createPrivateKey(issued.privateKeyPem),
      certificateChain: [new X509Certificate(issued.certificatePem).raw],
    });
  };
  const authority = new X509Certificate(root.certificatePem);
  const trust = {
    x509: ([own]: readonly Uint8Array[]) =>
      assert.ok(own !== undefined && new X509Certificate(own).verify(authority.publicKey)),
  };
  const serverKey = await credential('server');
  const deviceKey = await credential(ENDPOINT);
  const world = new OmaWorld({
    dtls: { signingKeyFor: () => serverKey, clientAuthentication: 'required', trust },
    dtlsClient: () => ({ signingKey: deviceKey, trust }),
  });
  world.addBootstrapAccount(true);
  const writes = accountOf(uriOf('first', true)).map((write) => ({
    ...write,
    entries: write.entries.map((item) => (item.path.equals(path('/0/1/2')) ? { ...item, value: 2 } : item)),
  }));
  world.configuration = { deletes: [], writes };
  await world.run(world.client.start());
  assert.deepEqual(world.bootstrapLog, ['requested', 'finished']);
  const { peer } = world.first;
  assert.ok(peer?.identity.kind === 'x509');
  assert.equal(peer.identity.commonName, ENDPOINT);
});

it('int-3 Simple Bootstrap from Smartcard', async () => {
  const world = new OmaWorld();
  const objects = accountOf(uriOf('first')).map(({ path: { objectId = 0 }, entries }) => ({
    objectId,
    entries,
  }));
  await bootstrapFromCard(world.tree, encodeBootstrapFile(objects, models));
  await world.run(world.client.start());
  assert.deepEqual(world.bootstrapLog, []);
  assert.deepEqual(world.first.log, [`registered ${ENDPOINT} 300`]);
});

it('int-4 Bootstrap Delete', async () => {
  const world = await OmaWorld.registered();
  world.addAccount(102, 'second');
  world.addBootstrapAccount();
  world.configuration = { deletes: [path('/0'), path('/1')], writes: accountOf(uriOf('second'), 103) };
  await world.run(world.client.bootstrap());
  assert.deepEqual(new Set(world.tree.require(0).instances.keys()), new Set([0, 1]));
  assert.deepEqual([...world.tree.require(1).instances.keys()], [0]);
  assert.equal(world.tree.instance(1, 0)?.get(0), 103);
  assert.equal(world.second.server.size, 1);
});

it('int-5 Server Initiated Bootstrap', async () => {
  const world = await OmaWorld.registered();
  world.addBootstrapAccount();
  world.configuration = { deletes: [], writes: accountOf(uriOf('first'), 101, 600) };
  const executed = await world.run(world.first.device.execute(path('/1/0/9')));
  assert.equal(executed.code, CODE.CHANGED);
  await world.runtime.advance(5_000);
  assert.deepEqual(world.bootstrapLog, ['requested', 'finished']);
  assert.equal(world.first.log.at(-1), `registered ${ENDPOINT} 600`);
});

it('int-6 Bootstrap Sequence', async () => {
  // A server account in place: the device registers and asks no bootstrap server.
  const configured = await OmaWorld.registered();
  configured.addBootstrapAccount();
  assert.deepEqual(configured.bootstrapLog, []);
  // None in place: it waits its hold-off time for the server, then asks.
  const world = new OmaWorld();
  world.addBootstrapAccount();
  world.tree.instance(0, 0)?.set(11, 30);
  world.configuration = { deletes: [], writes: accountOf(uriOf('first')) };
  const started = world.client.start();
  await world.runtime.advance(29_000);
  assert.deepEqual(world.bootstrapLog, []);
  await world.run(started);
  assert.deepEqual(world.bootstrapLog, ['requested', 'finished']);
});

it('int-7 Fallback to bootstrap', async () => {
  const world = new OmaWorld();
  world.addBootstrapAccount();
  world.addAccount(101, 'first', [
    [16, true],
    [17, 1],
    [20, 1],
  ]);
  // Nobody is there.
  world.tree.instance(0, 1)?.set(0, 'coap://10.99.0.1:5683');
  world.configuration = { deletes: [path('/0'), path('/1')], writes: accountOf(uriOf('second')) };
  await world.run(world.client.start());
  assert.deepEqual(world.bootstrapLog, ['requested', 'finished']);
  assert.equal(world.second.server.size, 1);
});

it('int-8 Bootstrap Read', async () => {
  await withHandWrittenBootstrap(async (ask, world) => {
    world.addAccount(101, 'first');
    const server = await ask({ method: 'GET', path: '/1', accept: CONTENT_FORMAT.TLV });
    assert.equal(server.code, CODE.CONTENT);
    assert.equal(
      (await ask({ method: 'GET', path: '/2', accept: CONTENT_FORMAT.SENML_CBOR })).code,
      CODE.CONTENT,
    );
    for (const refused of ['/0', '/3']) {
      assert.equal((await ask({ method: 'GET', path: refused, accept: 112 })).code, CODE.METHOD_NOT_ALLOWED);
    }
  });
});

it('int-9 Bootstrap and Configuration Consistency', async () => {
  await withHandWrittenBootstrap(async (ask, world) => {
    // A server account without the security account that it needs.
    const [, server] = accountOf(uriOf('first'));
    assert.ok(server);
    const payload = encodeContent(CONTENT_FORMAT.TLV, server.path, server.entries, models);
    const wrote = await ask({ method: 'PUT', path: '/1/0', contentFormat: CONTENT_FORMAT.TLV, payload });
    assert.equal(wrote.code, CODE.CHANGED);
    assert.equal((await ask({ method: 'POST', path: '/bs' })).code, CODE.NOT_ACCEPTABLE);
    await world.runtime.advance(1_000);
    assert.deepEqual(world.clientLog, ['bootstrapFailed']);
    assert.equal(world.tree.instance(1, 0), undefined);
  });
});

it('Bootstrap-Pack (LwM2M 1.2) configures a device in one answer', async () => {
  const world = new OmaWorld({ settings: { bootstrapPack: true, version: '1.2' } });
  world.addBootstrapAccount();
  world.configuration = { deletes: [], writes: accountOf(uriOf('first')) };
  await world.run(world.client.start());
  assert.deepEqual(world.first.log, [`registered ${ENDPOINT} 300`]);
  assert.equal(entry('/0/0/1', true).value, world.tree.instance(0, 0)?.get(1));
});

/** A device in the middle of a bootstrap whose steps the test writes. */
async function withHandWrittenBootstrap(
  run: (ask: (init: CoapRequestInit) => Promise<CoapResponse>, world: OmaWorld) => Promise<void>,
): Promise<void> {
  const world = new OmaWorld();
  world.addBootstrapAccount();
  world.tree.instance(0, 0)?.set(0, 'coap://10.0.5.1:5683');
  const requests: CoapRequest[] = [];
  const endpoint: CoapEndpoint = createCoapEndpoint({
    channel: world.network.bind('10.0.5.1', 5683),
    runtime: world.runtime,
    handler: (request) => {
      requests.push(request);
      return { code: CODE.CHANGED };
    },
  });
  world.client.start().catch(() => undefined);
  await world.runtime.runUntil(() => requests.length > 0);
  const [request] = requests;
  assert.ok(request);
  await run((init) => world.run(endpoint.request(request.peer, init)), world);
}
