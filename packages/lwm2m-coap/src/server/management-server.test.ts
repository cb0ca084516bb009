import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CODE } from '@sefleet/coap';
import type { CoapReply, ServerObservation } from '@sefleet/coap';
import { CONTENT_FORMAT, encodeContent, Lwm2mPath } from '@sefleet/lwm2m';
import type { SendVerdict } from './settings.ts';
import { createVolatileStore } from './store.ts';
import type { Lwm2mServerStore } from './store.ts';
import { Bench, models } from './management-bench.test.ts';

test('registers, updates and de-registers a device', async () => {
  const bench = new Bench();
  const created = await bench.register(['b=U']);
  assert.equal(created.code, CODE.CREATED);
  const location = created.locationPath ?? '';
  assert.match(location, /^\/rd\/[\w-]{12}$/);
  assert.equal(bench.server.device('meter').registration.kind, 'smart-meter');
  assert.equal((await bench.post(location, ['lt=600'])).code, CODE.CHANGED);
  assert.equal(bench.server.device('meter').registration.lifetimeSeconds, 600);
  assert.equal((await bench.post('/rd/unknown')).code, CODE.NOT_FOUND);
  const gone = await bench.settle(
    bench.device.request(bench.serverPeer, { method: 'DELETE', path: location }),
  );
  assert.equal(gone.code, CODE.DELETED);
  assert.deepEqual(bench.log, ['registered meter', 'updated meter', 'deregistered meter']);
  assert.equal(bench.server.size, 0);
});

test('refuses what no registration may say', async () => {
  const bench = new Bench();
  const links = '</3/0>';
  const cases: [string[], string, number | undefined, number, RegExp][] = [
    [['ep=stranger', 'lwm2m=1.1'], links, 40, CODE.FORBIDDEN, /not one of this endpoint name/],
    [['lwm2m=1.1'], links, 40, CODE.FORBIDDEN, /not one of this endpoint name/],
    [['ep=meter', 'lwm2m=2.0'], links, 40, CODE.PRECONDITION_FAILED, /^lwm2m is 1.0, 1.1 or 1.2$/],
    [['ep=meter', 'lwm2m=1.1', 'lt=x'], links, 40, CODE.BAD_REQUEST, /^lt is a number of seconds/],
    [['ep=meter', 'ep=meter'], links, 40, CODE.BAD_REQUEST, /^query 'ep' twice$/],
    [['ep=meter', 'x'.repeat(200), 'x'.repeat(200)], links, 40, CODE.BAD_REQUEST, /^query 'x{93}$/],
    [['ep=meter', 'lwm2m=1.1'], '<broken', 40, CODE.BAD_REQUEST, /^the list of objects is malformed$/],
    [['ep=meter', 'lwm2m=1.1'], links, 60, CODE.UNSUPPORTED_CONTENT_FORMAT, /link-format/],
    [
      ['ep=meter', 'lwm2m=1.1'],
      `</3/0>,${'<coap://x>,'.repeat(2000)}</4/0>`,
      40,
      CODE.REQUEST_ENTITY_TOO_LARGE,
      /^$/,
    ],
  ];
  for (const [query, payload, format, code, diagnostic] of cases) {
    const answer = await bench.post('/rd', query, payload, format);
    assert.deepEqual([answer.code, answer.contentFormat], [code, undefined], query.join());
    assert.match(Buffer.from(answer.payload).toString(), diagnostic);
  }
  assert.equal(bench.server.size, 0);
});

test('expires a registration whose lifetime passes without an update', async () => {
  const bench = new Bench();
  const { locationPath = '' } = await bench.register();
  await bench.runtime.advance(200_000);
  await bench.post(locationPath);
  await bench.runtime.advance(200_000);
  assert.equal(bench.server.size, 1);
  await bench.runtime.advance(101_000);
  assert.deepEqual(bench.log.at(-1), 'expired meter');
  assert.equal(bench.server.size, 0);
});

test('answers a Send only when its consumer has the data', async () => {
  const bench = new Bench();
  await bench.register();
  const path = Lwm2mPath.parse('/3/0/13');
  const payload = encodeContent(CONTENT_FORMAT.SENML_CBOR, Lwm2mPath.ROOT, [{ path, value: 17 }], models);
  const send = () =>
    bench.device.request(bench.serverPeer, { method: 'POST', path: '/dp', payload, contentFormat: 112 });
  let accept: (verdict: SendVerdict) => void = () => {};
  bench.verdict = () => new Promise((resolve) => (accept = resolve));
  let answered = false;
  const answer = send().finally(() => (answered = true));
  await bench.runtime.advance(1000);
  assert.equal(answered, false);
  accept({ kind: 'accepted' });
  assert.equal((await bench.settle(answer)).code, CODE.CHANGED);
  bench.verdict = () => ({ kind: 'busy', retryAfterSeconds: 7 });
  const busy = await bench.settle(send());
  assert.equal(busy.code, CODE.SERVICE_UNAVAILABLE);
  assert.equal(busy.maxAgeSeconds, 7);
  assert.deepEqual(
    bench.sent[0]?.map((entry) => [entry.path.toString(), entry.value]),
    [['/3/0/13', 17]],
  );
  assert.equal((await bench.post('/dp', [], 'junk', 112)).code, CODE.BAD_REQUEST);
  assert.equal((await bench.post('/dp', [], 'x', 0)).code, CODE.UNSUPPORTED_CONTENT_FORMAT);
});

test('refuses a Send of a device that is not registered', async () => {
  const bench = new Bench();
  assert.equal((await bench.post('/dp', [], 'x', 112)).code, CODE.NOT_FOUND);
});

test('reads, writes, executes and deletes on a device', async () => {
  const bench = new Bench();
  await bench.register();
  const device = bench.server.device('meter');
  const path = Lwm2mPath.parse('/3/0/0');
  const payload = encodeContent(CONTENT_FORMAT.SENML_CBOR, path, [{ path, value: 'sefleet' }], models);
  bench.answer = () => ({ code: CODE.CONTENT, payload, contentFormat: CONTENT_FORMAT.SENML_CBOR });
  const read = await bench.settle(device.read(path));
  assert.deepEqual(
    read.entries.map(({ value }) => value),
    ['sefleet'],
  );
  assert.equal(bench.requests.at(-1)?.accept, CONTENT_FORMAT.SENML_CBOR);
  bench.answer = () => ({ code: CODE.METHOD_NOT_ALLOWED });
  const written = await bench.settle(device.write(path, [{ path, value: 'x' }], 'replace'));
  assert.deepEqual(written, { code: CODE.METHOD_NOT_ALLOWED, success: false });
  await bench.settle(device.execute(Lwm2mPath.parse('/3/0/4'), "0='now'"));
  assert.equal(new TextDecoder().decode(bench.requests.at(-1)?.payload), "0='now'");
  await bench.settle(device.delete(Lwm2mPath.parse('/3/1')));
  assert.equal(bench.requests.at(-1)?.method, 'DELETE');
  await bench.settle(device.writeAttributes(path, { pmin: 5, lt: null }));
  assert.deepEqual(bench.requests.at(-1)?.query, ['pmin=5', 'lt']);
});

test('delivers notifications and observes again after a re-registration', async () => {
  const bench = new Bench();
  await bench.register();
  const path = Lwm2mPath.parse('/3/0/9');
  const state = (value: number): CoapReply => ({
    code: CODE.CONTENT,
    payload: encodeContent(CONTENT_FORMAT.SENML_CBOR, path, [{ path, value }], models),
    contentFormat: CONTENT_FORMAT.SENML_CBOR,
  });
  const observers: ServerObservation[] = [];
  bench.answer = (request) => {
    const observer = request.observe?.accept();
    if (observer !== undefined) observers.push(observer);
    return state(80);
  };
  const first = await bench.settle(bench.server.device('meter').observe([path]));
  assert.deepEqual(
    first.entries.map(({ value }) => value),
    [80],
  );
  observers[0]?.notify(state(79));
  await bench.runtime.advance(100);
  assert.equal(bench.log.at(-1), 'notification /3/0/9 79');
  await bench.register();
  await bench.runtime.advance(100);
  assert.equal(observers.length, 2);
  observers[1]?.notify(state(78));
  await bench.runtime.advance(100);
  assert.equal(bench.log.at(-1), 'notification /3/0/9 78');
  assert.equal(await bench.settle(bench.server.device('meter').cancelObservation([path])), true);
  assert.deepEqual(bench.server.device('meter').observations(), []);
});

test('lets nothing be observed for a call that failed', async () => {
  const bench = new Bench();
  await bench.register();
  const observers: ServerObservation[] = [];
  bench.answer = (request) => {
    const observer = request.observe?.accept();
    if (observer !== undefined) observers.push(observer);
    return { code: CODE.CONTENT, payload: Buffer.from('broken'), contentFormat: CONTENT_FORMAT.SENML_CBOR };
  };
  const meter = bench.server.device('meter');
  const observed = bench.settle(meter.observe([Lwm2mPath.parse('/3/0/9')]));
  await assert.rejects(observed, { code: 'LWM2M_ANSWER_INVALID' });
  await bench.runtime.advance(1000);
  assert.deepEqual(meter.observations(), []);
  // The second one ends what the first began (RFC 7641 §3.6).
  assert.equal(bench.requests.length, 2);
  assert.deepEqual(
    observers.map(({ active }) => active),
    [false],
  );
});

test('gives up an operation at once whose caller has gone already', async () => {
  const bench = new Bench({ awakeTimeMs: 10_000 });
  await bench.register(['Q']);
  await bench.runtime.advance(10_100);
  const path = Lwm2mPath.parse('/3/0/4');
  const executed = bench.server.device('meter').execute(path, '', { signal: AbortSignal.abort() });
  await assert.rejects(executed, { code: 'LWM2M_OPERATION_TIMEOUT', message: /withdrew/ });
});

test('holds operations for a sleeping device until it is heard of', async () => {
  const bench = new Bench({ awakeTimeMs: 10_000 });
  const { locationPath = '' } = await bench.register(['Q']);
  await bench.runtime.advance(10_100);
  assert.equal(bench.log.at(-1), 'sleeping meter');
  const device = bench.server.device('meter');
  assert.equal(device.sleeping, true);
  let done = false;
  const executed = device.execute(Lwm2mPath.parse('/3/0/4'), '', { timeoutMs: 200_000 });
  void executed.then(() => (done = true));
  await bench.runtime.advance(50_000);
  assert.equal(done, false);
  assert.equal(bench.requests.length, 0);
  await bench.post(locationPath);
  assert.equal((await bench.settle(executed)).code, CODE.CHANGED);
  assert.ok(bench.log.includes('awake meter'));
  const late = device.execute(Lwm2mPath.parse('/3/0/4'), '', { timeoutMs: 5000 });
  await bench.settle(late);
  await bench.runtime.advance(20_000);
  const failed = device.read(Lwm2mPath.parse('/3/0/0'), undefined, { whenAway: 'fail' });
  await assert.rejects(bench.settle(failed), { code: 'LWM2M_DEVICE_UNAVAILABLE' });
});

test('lists its resources at /.well-known/core', async () => {
  const bench = new Bench();
  const path = '/.well-known/core';
  const answer = await bench.settle(bench.device.request(bench.serverPeer, { method: 'GET', path }));
  assert.match(answer.text(), /<\/rd>/);
});

test('frees what a device held that goes silent in the middle of an operation', async () => {
  const bench = new Bench({ operationTimeoutMs: 20_000 });
  await bench.register();
  const device = bench.server.device('meter');
  bench.network.filter = (_data, from) => !from.startsWith('10.0.0.1');
  const path = Lwm2mPath.parse('/5/0/0');
  const written = device.writeOpaque(path, new Uint8Array(20_000));
  await assert.rejects(bench.settle(written), { code: 'LWM2M_OPERATION_TIMEOUT' });
  const observed = device.observe([Lwm2mPath.parse('/3/0/9')]);
  await assert.rejects(bench.settle(observed), { code: 'LWM2M_OPERATION_TIMEOUT' });
  await bench.runtime.advance(300_000);
  const open = Object.entries(bench.serverEndpoint.open()).filter(([, count]) => count !== 0);
  assert.deepEqual(open, []);
});

test('knows a device again by its credential after a restart, and renews what is observed of it', async () => {
  const stored = new Map<string, Parameters<Lwm2mServerStore['saveRegistration']>[0]>();
  const observations = [{ endpoint: 'meter', paths: ['/3/0/9'] }];
  const store: Lwm2mServerStore = {
    ...createVolatileStore(),
    load: () => Promise.resolve({ registrations: [...stored.values()], observations }),
    saveRegistration: (registration) => {
      stored.set(registration.endpoint, registration);
      return Promise.resolve();
    },
  };
  const before = new Bench({ store });
  const { locationPath = '' } = await before.register();
  const bench = new Bench({ store });
  await bench.server.restore();
  const device = bench.server.device('meter');
  assert.equal(device.reachable, false);
  assert.deepEqual(device.observations(), [['/3/0/9']]);
  bench.answer = (request) => {
    request.observe?.accept();
    return { code: CODE.CONTENT, payload: '80', contentFormat: CONTENT_FORMAT.TEXT };
  };
  assert.equal((await bench.post(locationPath)).code, CODE.CHANGED);
  await bench.runtime.advance(100);
  assert.equal(device.reachable, true);
  assert.deepEqual(
    bench.requests.map((request) => [request.path, request.observe !== undefined]),
    [['/3/0/9', true]],
  );
});

test('answers an Observe when the wish is durable, and keeps none of a call that failed', async () => {
  const saving = Promise.withResolvers<void>();
  const store = { ...createVolatileStore(), saveObservation: () => saving.promise };
  const bench = new Bench({ store, operationTimeoutMs: 20_000 });
  await bench.register();
  bench.answer = (request) => {
    request.observe?.accept();
    return { code: CODE.CONTENT, payload: '80', contentFormat: CONTENT_FORMAT.TEXT };
  };
  const device = bench.server.device('meter');
  let answered = false;
  const observed = device.observe([Lwm2mPath.parse('/3/0/9')]).finally(() => (answered = true));
  await bench.runtime.advance(1000);
  assert.deepEqual([bench.requests.length, answered], [1, false]);
  saving.resolve();
  assert.equal((await bench.settle(observed)).code, CODE.CONTENT);
  bench.network.filter = () => false;
  await assert.rejects(bench.settle(device.observe([Lwm2mPath.parse('/3/0/13')])));
  assert.deepEqual(device.observations(), [['/3/0/9']]);
});
