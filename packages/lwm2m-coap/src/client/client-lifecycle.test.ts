import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CODE } from '@sefleet/coap';
import { SefleetError } from '@sefleet/errors';
import { CONTENT_FORMAT, encodeContent, parseRegistration } from '@sefleet/lwm2m';
import fc from 'fast-check';
import { entry, models, path, senml, SERVER, World } from './client-world.test.ts';

describe('registration', () => {
  it('announces the content formats that its settings name', async () => {
    for (const [formats, ct] of [
      [[CONTENT_FORMAT.SENML_JSON], ';ct=110,'],
      [[], ','],
    ] as const) {
      const world = new World({ announcedFormats: formats }).withAccounts();
      await world.run(world.client.start());
      const body = Buffer.from(world.requests[0]?.payload ?? []).toString();
      assert.ok(body.startsWith(`</>;rt="oma.lwm2m"${ct}`), body);
    }
  });

  it('registers with its objects, lifetime and binding', async () => {
    const world = new World().withAccounts();
    await world.run(world.client.start());
    const [request] = world.requests;
    assert.ok(request);
    assert.equal(request.path, '/rd');
    assert.deepEqual(request.query, ['ep=dev-1', 'lwm2m=1.1', 'lt=300', 'b=U']);
    const registration = parseRegistration(request.query, request.payload);
    const paths = registration.objects.map((object) => object.path.toString());
    assert.deepEqual(paths, ['/1', '/1/0', '/2', '/3', '/3/0', '/6', '/25', '/3303', '/3303/0']);
    assert.deepEqual(registration.contentFormats, [60, 110, 112, 11542, 11543, 11544]);
    assert.equal(world.client.state, 'registered');
  });

  it('updates before the lifetime ends, and after a change of what is registered', async () => {
    const world = new World().withAccounts();
    await world.run(world.client.start());
    await world.runtime.advance(208_000);
    assert.equal(world.requests.at(-1)?.path, '/rd/4711');
    assert.equal(world.requests.at(-1)?.payload.length, 0);
    world.tree.require(3303).add(1, [[5700, 1]]);
    await world.runtime.advance(100);
    assert.match(Buffer.from(world.requests.at(-1)?.payload ?? []).toString(), /<\/3303\/1>/);
  });

  it('registers anew when the server has forgotten it', async () => {
    const world = new World().withAccounts();
    await world.run(world.client.start());
    world.answer = (request) => (request.path === '/rd' ? world.accept(request) : { code: CODE.NOT_FOUND });
    world.client.update();
    await world.runtime.advance(100);
    assert.deepEqual(
      world.requests.map((request) => request.path),
      ['/rd', '/rd/4711', '/rd'],
    );
  });

  it('de-registers on stop and leaves nothing running', async () => {
    const world = new World().withAccounts();
    await world.run(world.client.start());
    await world.run(world.client.stop());
    assert.equal(world.requests.at(-1)?.method, 'DELETE');
    assert.equal(world.client.state, 'stopped');
  });

  it('backs off as the account says, then gives up', async () => {
    const world = new World().withAccounts();
    world.tree.require(1).instances.get(0)?.set(17, 3);
    world.tree.require(1).instances.get(0)?.set(18, 10);
    world.answer = () => ({ code: CODE.FORBIDDEN });
    const times: number[] = [];
    world.answer = () => {
      times.push(Math.round(world.runtime.clock.monotonicMs() / 1000));
      return { code: CODE.FORBIDDEN };
    };
    await assert.rejects(world.run(world.client.start()), { code: 'LWM2M_REGISTRATION_FAILED' });
    assert.deepEqual(times, [0, 10, 30]);
  });

  it('registers once, however often it is started, and not after it was stopped', async () => {
    const world = new World().withAccounts();
    await world.run(Promise.all([world.client.start(), world.client.start()]));
    await world.run(world.client.start());
    assert.equal(world.requests.length, 1);
    await world.run(world.client.stop());
    const restarted = world.client.start();
    const stopped = world.client.stop();
    await assert.rejects(world.run(restarted), { code: 'LWM2M_CLIENT_STOPPED' });
    await world.run(stopped);
    await world.runtime.advance(10_000);
    assert.equal(world.requests.filter((request) => request.path === '/rd').length, 1);
    assert.equal(world.client.state, 'stopped');
  });

  it('survives servers that answer nothing but nonsense', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0x41, max: 0xa5 }), { maxLength: 12 }), async (codes) => {
        const world = new World().withAccounts();
        world.answer = (request) => {
          const code = codes.shift();
          return code === undefined ? world.accept(request) : { code };
        };
        world.client.start().catch(() => undefined);
        const sent = world.client.send([entry('/3303/0/5700', 1)]).catch(() => undefined);
        await world.runtime.advance(10_000_000);
        await world.run(world.client.stop());
        await world.run(sent);
        assert.equal(world.client.state, 'stopped');
      }),
      { numRuns: 25 },
    );
  });

  it('keeps the TLS alert of a refused connection in the account', async () => {
    const world = new World().withAccounts();
    world.refuses = new SefleetError('DTLS_HANDSHAKE_FAILED', 'peer', 'refused', { context: { alert: 115 } });
    world.client.start().catch(() => undefined);
    await world.runtime.advance(1_000);
    assert.equal(world.tree.instance(1, 0)?.get(11), 115);
    world.refuses = undefined;
    await world.runtime.advance(120_000);
    assert.equal(world.client.state, 'registered');
  });

  it('waits with its first registration as the account says', async () => {
    const world = new World().withAccounts();
    world.tree.instance(1, 0)?.set(14, 30);
    const started = world.client.start();
    await world.runtime.advance(29_000);
    assert.equal(world.requests.length, 0);
    await world.run(started);
    assert.equal(world.requests.length, 1);
  });

  it('comes back after the connection was lost', async () => {
    const world = new World().withAccounts();
    await world.run(world.client.start());
    world.lose?.('session gone');
    await world.runtime.advance(3_000);
    assert.equal(world.requests.filter((request) => request.path === '/rd').length, 2);
    assert.equal(world.connections, 2);
  });
});

describe('bootstrap', () => {
  async function serve(world: World): Promise<void> {
    await world.runtime.runUntil(() => world.requests.length > 0);
    const [request] = world.requests;
    assert.equal(request?.path, '/bs');
    assert.deepEqual(request?.query, ['ep=dev-1', 'pct=112']);
    const root = await world.ask({ method: 'DELETE', path: '/' });
    assert.equal(root.code, CODE.DELETED);
    const security = [
      entry('/0/1/0', `coap://${SERVER}`),
      entry('/0/1/1', false),
      entry('/0/1/2', 3),
      entry('/0/1/3', Uint8Array.of()),
      entry('/0/1/4', Uint8Array.of()),
      entry('/0/1/5', Uint8Array.of()),
      entry('/0/1/10', 101),
    ];
    const wrote = await world.ask({ method: 'PUT', path: '/0/1', ...senml('/0/1', security) });
    assert.equal(wrote.code, CODE.CHANGED);
    const server = [entry('/1/0/0', 101), entry('/1/0/1', 600), entry('/1/0/6', true), entry('/1/0/7', 'U')];
    const tlv = encodeContent(CONTENT_FORMAT.TLV, path('/1/0'), server, models);
    const second = await world.ask({
      method: 'PUT',
      path: '/1/0',
      contentFormat: CONTENT_FORMAT.TLV,
      payload: tlv,
    });
    assert.equal(second.code, CODE.CHANGED);
  }

  it('is asked for, written, finished, and followed by the registration', async () => {
    const world = new World().withBootstrapAccount();
    const started = world.client.start();
    await serve(world);
    const discovered = await world.ask({ method: 'GET', path: '/', accept: CONTENT_FORMAT.LINK });
    assert.match(discovered.text(), /<\/0\/1>;ssid=101;uri="coap:\/\/10\.0\.0\.1"/);
    assert.equal((await world.ask({ method: 'GET', path: '/1', accept: 112 })).code, CODE.CONTENT);
    assert.equal((await world.ask({ method: 'GET', path: '/0', accept: 112 })).code, CODE.METHOD_NOT_ALLOWED);
    assert.equal((await world.ask({ method: 'POST', path: '/bs' })).code, CODE.CHANGED);
    await world.run(started);
    assert.equal(world.requests.at(-1)?.path, '/rd');
    assert.equal(world.tree.instance(0, 0)?.get(1), true);
    assert.equal(world.tree.instance(3, 0)?.get(0), 'ACME');
  });

  it('leaves no connection open when the client stops right after it', async () => {
    const world = new World().withBootstrapAccount();
    const started = world.client.start();
    await serve(world);
    await world.ask({ method: 'POST', path: '/bs' });
    await world.run(started);
    assert.deepEqual([world.connections, world.connectionsClosed], [2, 0]);
    await world.run(world.client.stop());
    assert.equal(world.connectionsClosed, 2);
  });

  it('is refused and undone when what was written is inconsistent', async () => {
    const world = new World().withBootstrapAccount();
    const started = world.client.start();
    started.catch(() => undefined);
    await world.runtime.runUntil(() => world.requests.length > 0);
    const server = [entry('/1/0/0', 101), entry('/1/0/1', 600), entry('/1/0/6', true), entry('/1/0/7', 'U')];
    await world.ask({ method: 'PUT', path: '/1/0', ...senml('/1/0', server) });
    assert.equal((await world.ask({ method: 'POST', path: '/bs' })).code, CODE.NOT_ACCEPTABLE);
    assert.equal(world.tree.instance(1, 0), undefined);
    await world.runtime.advance(60_000);
    assert.equal(world.requests.filter((request) => request.path === '/bs').length, 2);
  });

  it('is tried again when the server goes silent', async () => {
    const world = new World({ bootstrapTimeoutMs: 10_000 }).withBootstrapAccount();
    world.client.start().catch(() => undefined);
    await world.runtime.advance(71_000);
    assert.equal(world.requests.length, 2);
  });

  it('starts when a server executes the trigger', async () => {
    const world = new World().withAccounts().withBootstrapAccount();
    await world.run(world.client.start());
    assert.equal((await world.ask({ method: 'POST', path: '/1/0/9' })).code, CODE.CHANGED);
    await world.runtime.advance(100);
    assert.equal(world.requests.at(-1)?.path, '/bs');
  });

  it('keeps the conversation with a server whose account stands and de-registers where it is gone', async () => {
    const deregistered: number[] = [];
    const world = new World({}, { deregistered: (_name, server) => deregistered.push(server) })
      .withAccounts()
      .withBootstrapAccount();
    world.tree.require(0).add(2, [
      [0, `coap://${SERVER}`],
      [1, false],
      [2, 3],
      [10, 102],
    ]);
    world.tree.require(1).add(1, [
      [0, 102],
      [1, 300],
      [6, true],
      [7, 'U'],
    ]);
    await world.run(world.client.start());
    await world.runtime.runUntil(() => world.client.servers().every(({ state }) => state === 'registered'));
    assert.equal(world.connections, 2);
    world.requests.length = 0;
    const again = world.client.bootstrap();
    await world.runtime.runUntil(() => world.requests.some((request) => request.path === '/bs'));
    assert.equal((await world.ask({ method: 'DELETE', path: '/0/2' })).code, CODE.DELETED);
    assert.equal((await world.ask({ method: 'DELETE', path: '/1/1' })).code, CODE.DELETED);
    assert.equal((await world.ask({ method: 'POST', path: '/bs' })).code, CODE.CHANGED);
    await world.run(again);
    await world.runtime.advance(1000);
    assert.deepEqual(world.requests.map(({ method, path: at }) => `${method} ${at}`).toSorted(), [
      'DELETE /rd/4711',
      'POST /bs',
      'POST /rd',
    ]);
    assert.deepEqual(deregistered, [102]);
    assert.equal(world.connections, 3, 'the bootstrap alone opened another connection');
    assert.deepEqual(
      world.client.servers().map(({ shortServerId, state }) => [shortServerId, state]),
      [[101, 'registered']],
    );
  });

  it('is not over because a server takes the device meanwhile', async () => {
    const world = new World().withAccounts().withBootstrapAccount();
    await world.run(world.client.start());
    const { lose } = world;
    const again = world.client.bootstrap();
    await world.runtime.runUntil(() => world.requests.at(-1)?.path === '/bs');
    const bootstrapping = world.device;
    lose?.('gone');
    await world.runtime.runUntil(() => world.requests.at(-1)?.path === '/rd', 10_000);
    await world.runtime.advance(100);
    assert.equal(world.client.servers()[0]?.state, 'registered');
    assert.equal(world.client.state, 'bootstrapping');
    world.device = bootstrapping;
    assert.equal((await world.ask({ method: 'POST', path: '/bs' })).code, CODE.CHANGED);
    await world.run(again);
    assert.equal(world.client.state, 'registered');
  });

  it('meets a server anew whose credential was changed', async () => {
    const world = new World().withAccounts().withBootstrapAccount();
    await world.run(world.client.start());
    const again = world.client.bootstrap();
    await world.runtime.runUntil(() => world.requests.at(-1)?.path === '/bs');
    const wrote = await world.ask({
      method: 'PUT',
      path: '/0/1/3',
      ...senml('/0/1/3', [entry('/0/1/3', Uint8Array.of(1))]),
    });
    assert.equal(wrote.code, CODE.CHANGED);
    assert.equal((await world.ask({ method: 'POST', path: '/bs' })).code, CODE.CHANGED);
    await world.run(again);
    assert.equal(world.connections, 3);
  });
});
