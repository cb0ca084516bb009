import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CODE, createCoapEndpoint } from '@sefleet/coap';
import type { CoapEndpoint, CoapRequestInit, RequestHandler } from '@sefleet/coap';
import { createDtlsEndpoint, createSoftwarePsk } from '@sefleet/dtls';
import { management } from '@sefleet/api';
import type { Peer } from '@sefleet/runtime';
import { createNodeRuntime, UdpChannel } from '@sefleet/runtime/node';
import { ServerBench } from './testing/server-bench.ts';
import type { KnownDevice } from './testing/server-bench.ts';

/** What a device can do wrong, on real sockets: the right code, no state changed, and nothing held. */
const runtime = createNodeRuntime();
const open: CoapEndpoint[] = [];
let bench: ServerBench;
let meter: KnownDevice;
let device: { readonly coap: CoapEndpoint; readonly peer: Peer };
/** What the device answers. */
let answer: RequestHandler = () => ({ code: CODE.NOT_FOUND });
const FAST = { ackTimeoutMs: 200, maxRetransmit: 1 };

before(async () => {
  bench = await ServerBench.start({
    SEFLEET_LWM2M_OPERATION_TIMEOUT_MS: '1500',
    SEFLEET_LWM2M_MAX_LIFETIME: '4294967290',
  });
  meter = bench.addDevice('victim');
  device = await connect(meter);
});
after(async () => {
  await Promise.all(open.map((coap) => coap.close()));
  await bench.stop();
  runtime.close();
});

async function connect({ identity, psk }: KnownDevice, port = bench.lwm2mPort) {
  const dtls = createDtlsEndpoint({ channel: await UdpChannel.bind(), runtime });
  const handler: RequestHandler = (request) => answer(request);
  const coap = createCoapEndpoint({ runtime, channel: dtls, handler, settings: FAST });
  open.push(coap);
  return { coap, peer: await dtls.connect('127.0.0.1', port, { psk: createSoftwarePsk(identity, psk) }) };
}

async function ask(init: CoapRequestInit, from = device): Promise<number> {
  return (await from.coap.request(from.peer, init)).code;
}

function register(query: readonly string[], payload = '</3/0>', contentFormat = 40): Promise<number> {
  return ask({ method: 'POST', path: '/rd', query, payload, contentFormat });
}

const NAME = 'ep=urn:dev:sefleet:victim';

async function registration(endpoint = meter.endpoint) {
  const { registration: found } = await bench.client.getRegistration({ endpoint });
  assert.ok(found);
  return found;
}

/** Fails when a refused request changed something. */
async function unchanged<T>(act: () => Promise<T>): Promise<T> {
  const before = await bench.client.listRegistrations({});
  const result = await act();
  assert.deepEqual((await bench.client.listRegistrations({})).registrations, before.registrations);
  return result;
}

test('refuses registrations that are malformed, too large, of another version or name', async () => {
  assert.equal(await register([NAME, 'lwm2m=1.1', 'lt=300']), CODE.CREATED);
  for (const [query, code] of [
    [[NAME, 'lwm2m=1.1', 'lt=-1'], CODE.BAD_REQUEST],
    [[NAME, 'lwm2m=1.1', 'lt=soon'], CODE.BAD_REQUEST],
    [[NAME, 'lwm2m=1.1', 'lt=1e9'], CODE.BAD_REQUEST],
    [[NAME, 'lwm2m=1.1', 'lt=99999999999999999999'], CODE.BAD_REQUEST],
    [[NAME, 'lwm2m=1.1', 'b=XYZ'], CODE.BAD_REQUEST],
    [[NAME, 'lwm2m=9.9'], CODE.PRECONDITION_FAILED],
    [['ep=urn:dev:sefleet:other', 'lwm2m=1.1'], CODE.FORBIDDEN],
  ] as const) {
    assert.equal(await unchanged(() => register(query)), code, query.join('&'));
  }
  for (const [payload, format, code] of [
    ['</3/0', 40, CODE.BAD_REQUEST],
    ['garbage', 40, CODE.BAD_REQUEST],
    ['</3/0>', 110, CODE.UNSUPPORTED_CONTENT_FORMAT],
    [`</3/0>${',</3/0>'.repeat(5000)}`, 40, CODE.REQUEST_ENTITY_TOO_LARGE],
  ] as const) {
    assert.equal(await unchanged(() => register([NAME, 'lwm2m=1.1'], payload, format)), code);
  }
});

test('a lifetime of decades holds, and one that lies in an update changes nothing', async () => {
  assert.equal(await register([NAME, 'lwm2m=1.1', 'lt=4294967290']), CODE.CREATED);
  // A timer that overflowed would have fired by then.
  for (let i = 0; i < 20; i++) await ask({ method: 'GET', path: '/.well-known/core' });
  const { registrationId, lifetimeSeconds } = await registration();
  assert.equal(lifetimeSeconds, 4_294_967_290);
  const path = `/rd/${registrationId}`;
  const lie = () => ask({ method: 'POST', path, query: ['lt=-5'] });
  assert.equal(await unchanged(lie), CODE.BAD_REQUEST);
  assert.equal(await ask({ method: 'POST', path, query: ['lt=300'] }), CODE.CHANGED);
  assert.equal((await registration()).lifetimeSeconds, 300);
});

test('a registration belongs to its credential', async () => {
  const thief = await connect(bench.addDevice('thief'));
  const path = `/rd/${(await registration()).registrationId}`;
  for (const init of [
    { method: 'POST', path, query: ['lt=60'] },
    { method: 'DELETE', path },
    { method: 'POST', path: '/rd/unknown' },
    { method: 'DELETE', path: '/rd/unknown' },
  ] as const) {
    assert.equal(await unchanged(() => ask(init, thief)), CODE.NOT_FOUND);
  }
  const claim = {
    method: 'POST',
    path: '/rd',
    query: [NAME, 'lwm2m=1.1'],
    payload: '</3/0>',
    contentFormat: 40,
  };
  assert.equal(await unchanged(() => ask({ ...claim, method: 'POST' }, thief)), CODE.FORBIDDEN);
  // Its bootstrap key opens the bootstrap server alone.
  const { bootstrapIdentity, bootstrapPsk } = meter;
  await assert.rejects(connect({ ...meter, identity: bootstrapIdentity, psk: bootstrapPsk }));
});

test('takes no Send that is empty, malformed, of another format or from nobody', async () => {
  const events: string[] = [];
  const stop = new AbortController();
  const watching = (async () => {
    for await (const { endpoint } of bench.client.watchEvents({ types: [8] }, { signal: stop.signal })) {
      events.push(endpoint);
    }
  })();
  const send = (payload: Uint8Array | string, contentFormat: number, from = device): Promise<number> =>
    ask({ method: 'POST', path: '/dp', payload, contentFormat }, from);
  for (const [payload, format, code] of [
    ['[]', 110, CODE.BAD_REQUEST],
    ['', 110, CODE.BAD_REQUEST],
    ['[{"n":"/3/0/9"}]', 110, CODE.BAD_REQUEST],
    ['[{"n":"nonsense","v":1}]', 110, CODE.BAD_REQUEST],
    ['{"bn":"/3/0/9","v":1}', 110, CODE.BAD_REQUEST],
    [Uint8Array.of(0x80), 112, CODE.BAD_REQUEST],
    [Uint8Array.of(0xff, 0xff), 112, CODE.BAD_REQUEST],
    ['1', 0, CODE.UNSUPPORTED_CONTENT_FORMAT],
  ] as const) {
    assert.equal(await unchanged(() => send(payload, format)), code, `${String(payload)} in ${format}`);
  }
  const stranger = await connect(bench.addDevice('unregistered'));
  assert.equal(await send('[{"n":"/3/0/9","v":50}]', 110, stranger), CODE.NOT_FOUND);
  assert.equal(await send('[{"n":"/3/0/9","v":50}]', 110), CODE.CHANGED);
  for (let i = 0; i < 1000 && events.length === 0; i++)
    await new Promise((resolve) => setTimeout(resolve, 20));
  stop.abort();
  await watching;
  assert.deepEqual(events, [meter.endpoint]);
});

test('what is refused of a device is an event, once in a while', async () => {
  const told: string[] = [];
  const stop = new AbortController();
  const { eventToken } = await bench.client.getStatistics({});
  const types = [management.EventType.REFUSED];
  const events = bench.client.watchEvents({ types, resumeToken: eventToken }, { signal: stop.signal });
  const known = bench.addDevice('refused');
  const { endpoint } = known;
  const refused = await connect(known);
  const at = (init: CoapRequestInit): Promise<number> => ask(init, refused);
  const query = [`ep=${endpoint}`, 'lwm2m=1.1'];
  const register = { method: 'POST', path: '/rd', payload: '</3/0>', contentFormat: 40 } as const;
  assert.equal(await at({ ...register, query }), CODE.CREATED);
  const path = `/rd/${(await registration(endpoint)).registrationId}`;
  const send = { method: 'POST', path: '/dp', payload: 'secret', contentFormat: 110 } as const;
  for (let i = 0; i < 3; i++) assert.equal(await at(send), CODE.BAD_REQUEST);
  assert.equal(await at({ method: 'POST', path, query: ['lt=-5'] }), CODE.BAD_REQUEST);
  for (const lifetime of ['lt=4294967291', 'lt=0'])
    assert.equal(await at({ ...register, query: [...query, lifetime] }), CODE.BAD_REQUEST);
  assert.equal(await at({ method: 'POST', path, query: ['lt=4294967291'] }), CODE.BAD_REQUEST);
  assert.equal((await registration(endpoint)).lifetimeSeconds, 86_400);
  assert.equal(await at({ method: 'POST', path, query: ['lt=4294967290'] }), CODE.CHANGED);
  assert.equal(await at({ ...register, query: [NAME, 'lwm2m=1.1'] }), CODE.FORBIDDEN);
  const { bootstrapIdentity: identity, bootstrapPsk: psk } = known;
  const newcomer = await connect({ ...known, identity, psk }, bench.bootstrapPort);
  const bootstrap = { method: 'POST', path: '/bs' } as const;
  assert.equal(await ask({ ...bootstrap, query: [NAME] }, newcomer), CODE.FORBIDDEN);
  assert.equal(
    await ask({ ...bootstrap, query: [`ep=${endpoint}`, 'pct=0'] }, newcomer),
    CODE.UNSUPPORTED_CONTENT_FORMAT,
  );
  for await (const event of events) {
    assert.ok(!JSON.stringify(event, (_, value) => `${value}`).includes('secret'));
    told.push(`${event.endpoint} ${event.reason}`);
    if (told.length === 6) break;
  }
  stop.abort();
  assert.deepEqual(told, [
    `${endpoint} send.malformed`,
    `${endpoint} registration.malformed`,
    `${endpoint} registration.lifetime`,
    `${meter.endpoint} registration.notAuthorised`,
    `${meter.endpoint} bootstrap.notAuthorised`,
    `${endpoint} bootstrap.format`,
  ]);
});

test('tells callers what a device answered, and that an answer made no sense', async () => {
  const { endpoint } = meter;
  answer = () => ({ code: CODE.NOT_FOUND });
  assert.equal((await bench.client.read({ endpoint, path: '/9999/0/0' })).code, '4.04');
  answer = () => ({ code: CODE.CONTENT, payload: 'not a number', contentFormat: 0 });
  await assert.rejects(bench.client.read({ endpoint, path: '/3/0/9' }), { code: 'LWM2M_ANSWER_INVALID' });
  answer = () => ({ code: CODE.CONTENT, payload: Uint8Array.of(0xc8), contentFormat: 11_542 });
  await assert.rejects(bench.client.read({ endpoint, path: '/3' }), { code: 'LWM2M_ANSWER_INVALID' });
  answer = () => ({ code: CODE.CONTENT, payload: '[]', contentFormat: 9999 });
  await assert.rejects(bench.client.read({ endpoint, path: '/3' }), { code: 'LWM2M_ANSWER_INVALID' });
  answer = () => ({ code: CODE.CHANGED });
  for (const [path, senmlJson] of [
    ['/3/0/14', '[{"n":"/3/0/14","v":5}]'],
    ['/1/0/1', '[{"n":"/1/0/1","vs":"soon"}]'],
    ['/1/0/1', '[{"n":"/2/0/1","v":1}]'],
    ['/1/0/1', 'nonsense'],
    ['/1/0/1', ''],
    ['/1/0/1', '[]'],
    ['/3/0/11/0', '[]'],
  ] as const) {
    const written = bench.client.write({ endpoint, path, senmlJson });
    await assert.rejects(written, { code: 'LWM2M_REQUEST_INVALID' }, `${path} ${senmlJson}`);
  }
  // A resource with several instances may have none.
  const none = await bench.client.write({ endpoint, path: '/3/0/11', senmlJson: '[]' });
  assert.equal(none.code, '2.04');
  for (const [name, value, message] of [
    ['foo', '1', /unknown attribute 'foo': there are pmin, pmax/],
    ['__proto__', '1', /unknown attribute/],
    ['pmin=5', '', /has a '='/],
    ['pmin', '-1', /attribute pmin is 0 to 999999999 whole seconds/],
    ['pmax', '1e3', /attribute pmax is/],
    ['st', '-2', /attribute st is a decimal number, 0 or more/],
    ['con', '2', /attribute con is 0 or 1/],
  ] as const) {
    const attributes = [{ name, value }];
    const refused = { code: 'LWM2M_REQUEST_INVALID', message };
    await assert.rejects(bench.client.writeAttributes({ endpoint, path: '/3/0/9', attributes }), refused);
    const queued = { operation: { case: 'writeAttributes', value: { path: '/3/0/9', attributes } } } as const;
    const order = { operationId: 'attributes', endpoint, operation: queued };
    await assert.rejects(bench.client.enqueueOperation(order), refused);
  }
  const attributes = [
    { name: 'pmin', value: '5' },
    { name: 'lt', value: '-2.5' },
    { name: 'pmax', value: '' },
  ];
  const asked: string[] = [];
  answer = ({ query }) => (asked.push(...query), { code: CODE.CHANGED });
  await bench.client.writeAttributes({ endpoint, path: '/3/0/9', attributes });
  assert.deepEqual(asked, ['pmin=5', 'lt=-2.5', 'pmax']);
});

test('a device that goes silent in the middle frees what it held', async () => {
  const { endpoint } = meter;
  answer = () => new Promise(() => {});
  const asked = Array.from({ length: 20 }, () => bench.client.read({ endpoint, path: '/3/0/0' }));
  asked.push(
    bench.client.exchangeApdus({ endpoint, commands: [Uint8Array.of(0)] }).then(() => unreachable()),
  );
  const outcomes = await Promise.allSettled(asked);
  for (const outcome of outcomes) {
    assert.equal(outcome.status, 'rejected');
    assert.equal(outcome.reason.code, 'LWM2M_OPERATION_TIMEOUT');
  }
  answer = () => ({ code: CODE.CONTENT, payload: 'here again', contentFormat: 0 });
  assert.equal((await bench.client.read({ endpoint, path: '/3/0/0' })).code, '2.05');
  answer = ({ method }) =>
    method === 'GET'
      ? { code: CODE.CONTENT, payload: Buffer.alloc(0), contentFormat: 42 }
      : { code: CODE.CHANGED };
  const { responses } = await bench.client.exchangeApdus({ endpoint, commands: [Uint8Array.of(0)] });
  assert.deepEqual(responses, []);
  // Gone for good: its operations fail at once, and its place is another session's.
  answer = () => new Promise(() => {});
  const gone = bench.client.read({ endpoint, path: '/3/0/0' });
  await device.coap.close();
  await assert.rejects(gone, /cannot be reached|did not answer/);
  device = await connect(meter);
  assert.equal(await register([NAME, 'lwm2m=1.1']), CODE.CREATED);
  answer = () => ({ code: CODE.CONTENT, payload: 'back', contentFormat: 0 });
  assert.equal((await bench.client.read({ endpoint, path: '/3/0/0' })).code, '2.05');
});

function unreachable(): never {
  assert.fail('a device that is silent has answered');
}
