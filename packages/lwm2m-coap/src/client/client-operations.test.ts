import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CODE } from '@sefleet/coap';
import type { CoapRequestInit } from '@sefleet/coap';
import {
  CONTENT_FORMAT,
  decodeContent,
  defineObject,
  encodeContent,
  Lwm2mPath,
  ObjectTree,
} from '@sefleet/lwm2m';
import { entry, models, path, senml, World } from './client-world.test.ts';
import type { Lwm2mEntry } from '@sefleet/lwm2m';
import type { Lwm2mClientSettings } from './settings.ts';

describe('device management', () => {
  async function registered(settings: Partial<Lwm2mClientSettings> = {}): Promise<World> {
    const world = new World(settings).withAccounts(86_400);
    await world.run(world.client.start());
    return world;
  }

  it('reads resources and instances in the format that is asked for', async () => {
    const world = await registered();
    const text = await world.ask({ method: 'GET', path: '/3303/0/5700' });
    assert.equal(text.text(), '20.5');
    assert.equal(text.contentFormat, CONTENT_FORMAT.TEXT);
    for (const accept of [110, 112, 11542, 11544] as const) {
      const response = await world.ask({ method: 'GET', path: '/3303/0', accept });
      assert.equal(response.code, CODE.CONTENT);
      const entries = decodeContent(accept, path('/3303/0'), response.payload, models);
      assert.deepEqual(entries, [entry('/3303/0/5700', 20.5), entry('/3303/0/5701', 'Cel')]);
    }
    assert.equal((await world.ask({ method: 'GET', path: '/3303/0', accept: 0 })).code, CODE.NOT_ACCEPTABLE);
    assert.equal((await world.ask({ method: 'GET', path: '/0/1', accept: 112 })).code, CODE.UNAUTHORIZED);
    assert.equal((await world.ask({ method: 'GET', path: '/9/9' })).code, CODE.NOT_FOUND);
    assert.equal((await world.ask({ method: 'GET', path: '/3/0/4' })).code, CODE.METHOD_NOT_ALLOWED);
  });

  it('writes, executes, creates and deletes', async () => {
    const world = await registered();
    const write = await world.ask({ method: 'PUT', path: '/1/0/1', contentFormat: 0, payload: '7200' });
    assert.equal(write.code, CODE.CHANGED);
    await world.runtime.advance(100);
    assert.deepEqual(world.requests.at(-1)?.query, ['lt=7200']);
    assert.equal(
      (await world.ask({ method: 'PUT', path: '/3303/0/5700', payload: '1' })).code,
      CODE.METHOD_NOT_ALLOWED,
    );
    assert.equal(
      (await world.ask({ method: 'PUT', path: '/1/0/1', payload: 'soon' })).code,
      CODE.BAD_REQUEST,
    );
    assert.equal(
      (await world.ask({ method: 'PUT', path: '/1/0/1', payload: '1', contentFormat: 9999 })).code,
      CODE.UNSUPPORTED_CONTENT_FORMAT,
    );
    assert.equal((await world.ask({ method: 'POST', path: '/3/0/4' })).code, CODE.CHANGED);
    assert.equal(world.reboots, 1);
    const created = await world.ask({
      method: 'POST',
      path: '/3303',
      contentFormat: CONTENT_FORMAT.TLV,
      payload: encodeContent(CONTENT_FORMAT.TLV, path('/3303/9'), [entry('/3303/9/5700', 5)], models),
    });
    assert.equal(created.code, CODE.CREATED);
    assert.equal(created.locationPath, '/3303/1');
    assert.equal((await world.ask({ method: 'DELETE', path: '/3303/1' })).code, CODE.DELETED);
    assert.equal((await world.ask({ method: 'DELETE', path: '/3/0' })).code, CODE.METHOD_NOT_ALLOWED);
  });

  it('discovers with attributes', async () => {
    const world = await registered();
    const wrote = await world.ask({ method: 'PUT', path: '/3303/0/5700', query: ['pmin=5', 'gt=25.5'] });
    assert.equal(wrote.code, CODE.CHANGED);
    const links = await world.ask({ method: 'GET', path: '/3303', accept: CONTENT_FORMAT.LINK });
    assert.equal(links.text(), '</3303>;ver=1.1,</3303/0>,</3303/0/5700>;pmin=5;gt=25.5,</3303/0/5701>');
    const bad = await world.ask({ method: 'PUT', path: '/3303/0/5701', query: ['gt=1'] });
    assert.equal(bad.code, CODE.BAD_REQUEST);
  });

  it('notifies as its attributes say', async () => {
    const world = await registered();
    await world.ask({ method: 'PUT', path: '/3303/0/5700', query: ['pmin=10', 'gt=25'] });
    const seen: string[] = [];
    assert.ok(world.device);
    const observation = await world.run(
      world.server.observe(world.device, { method: 'GET', path: '/3303/0/5700' }, (response) =>
        seen.push(`${Math.round(world.runtime.clock.monotonicMs() / 1000)}: ${response.text()}`),
      ),
    );
    assert.equal(observation.first.text(), '20.5');
    const sensor = world.tree.instance(3303, 0);
    sensor?.set(5700, 22);
    await world.runtime.advance(20_000);
    sensor?.set(5700, 26);
    await world.runtime.advance(1_000);
    sensor?.set(5700, 24);
    await world.runtime.advance(20_000);
    assert.deepEqual(seen, ['20: 26', '30: 24']);
    assert.equal(world.client.observationCount, 1);
    await world.run(observation.cancel());
    assert.equal(world.client.observationCount, 0);
  });

  it('keeps what was measured between notifications when hqmax asks for it', async () => {
    const world = await registered();
    await world.ask({ method: 'PUT', path: '/3303/0/5700', query: ['pmin=10', 'hqmax=3'] });
    const seen: (readonly Lwm2mEntry[])[] = [];
    assert.ok(world.device);
    await world.run(
      world.server.observe(world.device, { method: 'GET', path: '/3303/0/5700', accept: 112 }, (response) =>
        seen.push(decodeContent(112, path('/3303/0/5700'), response.payload, models)),
      ),
    );
    for (const value of [21, 22, 23, 24]) {
      await world.runtime.advance(1_000);
      world.tree.instance(3303, 0)?.set(5700, value);
    }
    await world.runtime.advance(10_000);
    assert.equal(seen.length, 1);
    assert.deepEqual(
      seen[0]?.map(({ value }) => value),
      [22, 23, 24],
    );
    const times = seen[0]?.map(({ timeSeconds = 0 }) => timeSeconds) ?? [];
    assert.equal((times[1] ?? 0) - (times[0] ?? 0), 1);
  });

  it('sends confirmable notifications when con asks for it', async () => {
    const world = await registered({ confirmableNotifications: false });
    const types: number[] = [];
    world.network.filter = (data, from) => {
      if (from.startsWith('10.0.0.2')) types.push(((data[0] ?? 0) >> 4) & 3);
      return true;
    };
    assert.ok(world.device);
    await world.run(world.server.observe(world.device, { method: 'GET', path: '/3303/0/5700' }, () => {}));
    const notify = async (value: number): Promise<number | undefined> => {
      types.length = 0;
      world.tree.instance(3303, 0)?.set(5700, value);
      await world.runtime.advance(1_000);
      return types[0];
    };
    assert.equal(await notify(21), 1, 'non-confirmable');
    await world.ask({ method: 'PUT', path: '/3303/0/5700', query: ['con=1'] });
    assert.equal(await notify(22), 0, 'confirmable');
  });

  it('reads, writes and observes several paths at once', async () => {
    const world = await registered();
    const wanted = [
      { path: path('/3303/0/5700'), value: null },
      { path: path('/3/0/0'), value: null },
      { path: path('/99/0/0'), value: null },
    ];
    const fetch: CoapRequestInit = { method: 'FETCH', path: '/', accept: 112, ...senml('/', wanted) };
    const read = await world.ask(fetch);
    assert.equal(read.code, CODE.CONTENT);
    assert.deepEqual(decodeContent(112, Lwm2mPath.ROOT, read.payload, models), [
      entry('/3303/0/5700', 20.5),
      entry('/3/0/0', 'ACME'),
    ]);
    const both = [entry('/1/0/1', 900), entry('/1/0/6', false)];
    assert.equal((await world.ask({ method: 'iPATCH', path: '/', ...senml('/', both) })).code, CODE.CHANGED);
    assert.equal(world.tree.instance(1, 0)?.get(6), false);
    const half = [entry('/1/0/1', 1000), entry('/3/0/0', 'x')];
    assert.equal(
      (await world.ask({ method: 'iPATCH', path: '/', ...senml('/', half) })).code,
      CODE.METHOD_NOT_ALLOWED,
    );
    assert.equal(world.tree.instance(1, 0)?.get(1), 900);
    assert.ok(world.device);
    let notified = 0;
    await world.run(world.server.observe(world.device, fetch, () => notified++));
    world.tree.instance(3303, 0)?.set(5700, 21);
    await world.runtime.advance(100);
    assert.equal(notified, 1);
  });

  it('serves the end devices behind a gateway below their prefixes', async () => {
    const world = await registered();
    const sensor = new ObjectTree([defineObject(models, 3303)], undefined, models);
    sensor.require(3303).add(0, [[5700, 36.6]]);
    world.client.attachEndDevice('thermometer-1', 'd1', sensor);
    assert.throws(() => world.client.attachEndDevice('other', 'd1', sensor), { code: 'LWM2M_CONFLICT' });
    const announced = await world.ask({ method: 'GET', path: '/25/0', accept: 112 });
    assert.deepEqual(decodeContent(112, path('/25/0'), announced.payload, models), [
      entry('/25/0/0', 'thermometer-1'),
      entry('/25/0/1', 'd1'),
      entry('/25/0/3', '</3303>;ver=1.1,</3303/0>'),
    ]);
    assert.equal((await world.ask({ method: 'GET', path: '/d1/3303/0/5700' })).text(), '36.6');
    assert.equal((await world.ask({ method: 'GET', path: '/d2/3303/0/5700' })).code, CODE.NOT_FOUND);
    const seen: string[] = [];
    assert.ok(world.device);
    await world.run(
      world.server.observe(world.device, { method: 'GET', path: '/d1/3303/0/5700' }, (response) =>
        seen.push(response.text()),
      ),
    );
    world.tree.instance(3303, 0)?.set(5700, 1);
    sensor.instance(3303, 0)?.set(5700, 38.2);
    await world.runtime.advance(100);
    assert.deepEqual(seen, ['38.2']);
    world.client.detachEndDevice('d1');
    assert.equal((await world.ask({ method: 'GET', path: '/d1/3303/0/5700' })).code, CODE.NOT_FOUND);
  });

  it('stays away after Disable', async () => {
    const world = await registered();
    world.tree.instance(1, 0)?.set(5, 600);
    assert.equal((await world.ask({ method: 'POST', path: '/1/0/4' })).code, CODE.CHANGED);
    await world.runtime.advance(1_000);
    assert.equal(world.requests.at(-1)?.method, 'DELETE');
    await world.runtime.advance(598_000);
    assert.equal(world.requests.at(-1)?.method, 'DELETE');
    await world.runtime.advance(3_000);
    assert.equal(world.requests.at(-1)?.path, '/rd');
  });
});

describe('send', () => {
  it('resolves when the server has answered 2.04', async () => {
    const world = new World().withAccounts();
    await world.run(world.client.start());
    await world.run(world.client.send([path('/3303/0/5700')]));
    const request = world.requests.at(-1);
    assert.equal(request?.path, '/dp');
    assert.equal(request?.contentFormat, 112);
    const entries = decodeContent(112, Lwm2mPath.ROOT, request?.payload ?? new Uint8Array(), models);
    assert.deepEqual(entries, [entry('/3303/0/5700', 20.5)]);
  });

  it('keeps what is measured offline, with its time, in one Send', async () => {
    const world = new World().withAccounts();
    const sent = [world.client.send([entry('/3303/0/5700', 1)])];
    await world.runtime.advance(60_000);
    sent.push(world.client.send([entry('/3303/0/5700', 2)]));
    await world.run(world.client.start());
    await world.run(Promise.all(sent));
    const entries = decodeContent(
      112,
      Lwm2mPath.ROOT,
      world.requests.at(-1)?.payload ?? new Uint8Array(),
      models,
    );
    assert.deepEqual(
      entries.map(({ value }) => value),
      [1, 2],
    );
    assert.equal((entries[1]?.timeSeconds ?? 0) - (entries[0]?.timeSeconds ?? 0), 60);
  });

  it('waits when the server is busy and gives up when it refuses', async () => {
    const world = new World().withAccounts();
    await world.run(world.client.start());
    let busy = 1;
    world.answer = () =>
      busy-- > 0 ? { code: CODE.SERVICE_UNAVAILABLE, maxAgeSeconds: 5 } : { code: CODE.CHANGED };
    await world.run(world.client.send([entry('/3303/0/5700', 1)]));
    world.answer = () => ({ code: CODE.BAD_REQUEST });
    await assert.rejects(world.run(world.client.send([entry('/3303/0/5700', 1)])), {
      code: 'LWM2M_SEND_REFUSED',
    });
  });

  it('registers anew and sends again when the server has forgotten the device', async () => {
    const world = new World().withAccounts();
    await world.run(world.client.start());
    let forgotten = true;
    world.answer = (request) => {
      if (request.path === '/rd') forgotten = false;
      return request.path === '/dp' && forgotten ? { code: CODE.NOT_FOUND } : world.accept(request);
    };
    await world.run(world.client.send([entry('/3303/0/5700', 1)]));
    assert.deepEqual(
      world.requests.map((request) => request.path),
      ['/rd', '/dp', '/rd', '/dp'],
    );
    const entries = decodeContent(
      112,
      Lwm2mPath.ROOT,
      world.requests.at(-1)?.payload ?? new Uint8Array(),
      models,
    );
    assert.equal(typeof entries[0]?.timeSeconds, 'number', 'it was late');
  });

  it('is rejected when the client is stopped', async () => {
    const world = new World().withAccounts();
    const sent = world.client.send([entry('/3303/0/5700', 1)]);
    const rejected = assert.rejects(sent, { code: 'LWM2M_CLIENT_STOPPED' });
    await world.run(world.client.stop());
    await rejected;
  });

  it('drops the oldest when the outbox is full', async () => {
    const world = new World({ outboxEntriesMax: 2 }).withAccounts();
    const first = world.client.send([entry('/3303/0/5700', 1)]);
    const rest = [2, 3].map((value) => world.client.send([entry('/3303/0/5700', value)]));
    await assert.rejects(first, { code: 'LWM2M_SEND_DROPPED' });
    await world.run(world.client.start());
    await world.run(Promise.all(rest));
    assert.equal(world.client.outboxSize, 0);
  });
});
