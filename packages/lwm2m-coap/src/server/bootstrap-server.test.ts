import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CODE, createCoapEndpoint } from '@sefleet/coap';
import type { CoapReply, CoapRequest } from '@sefleet/coap';
import { CONTENT_FORMAT, decodeContent, encodeContent, Lwm2mPath, omaModels } from '@sefleet/lwm2m';
import type { ContentFormat } from '@sefleet/lwm2m';
import { SimNetwork, SimRuntime } from '@sefleet/runtime/sim';
import { accountWrites } from './account-writes.ts';
import type { BootstrapFindings, BootstrapInspection } from './bootstrap.ts';
import { createBootstrapServer } from './bootstrap-server.ts';

const models = omaModels();

function createBench(
  answer: (request: CoapRequest) => CoapReply,
  inspect?: BootstrapInspection,
  trusted = false,
) {
  const runtime = new SimRuntime(2);
  const network = new SimNetwork(runtime);
  const log: string[] = [];
  const found: BootstrapFindings[] = [];
  const server = createBootstrapServer({
    runtime,
    models,
    authoriser: {
      authorise: (_peer, endpoint) => (trusted || endpoint === 'meter' ? { endpoint: 'meter' } : undefined),
    },
    configurationFor: () => ({
      ...(inspect === undefined ? {} : { inspect }),
      deletes: [Lwm2mPath.parse('/0'), Lwm2mPath.parse('/1')],
      writes: accountWrites({
        securityInstance: 1,
        serverInstance: 1,
        shortServerId: 101,
        uri: 'coaps://127.0.0.1:5684',
        security: { mode: 'psk', identity: 'meter-1', key: Uint8Array.of(1, 2, 3) },
        lifetimeSeconds: 300,
        binding: 'U',
        notificationStoring: true,
      }),
    }),
    events: {
      inspected: (_device, findings) => void found.push(findings),
      finished: ({ endpoint }) => void log.push(`finished ${endpoint}`),
      failed: ({ endpoint }, error) => void log.push(`failed ${endpoint} ${String(error)}`),
    },
  });
  const channel = network.bind('10.0.0.1', 5683);
  const coap = server.listen((handler) => createCoapEndpoint({ runtime, channel, handler }));
  const own = network.bind('10.0.0.2');
  const requests: CoapRequest[] = [];
  const device = createCoapEndpoint({
    runtime,
    channel: own,
    handler: (request) => {
      requests.push(request);
      return answer(request);
    },
  });
  const ask = async (query: string[], method: 'POST' | 'GET' = 'POST', path = '/bs') => {
    let done = false;
    const peer = own.peerAt('10.0.0.1', 5683);
    const asked = device.request(peer, { method, path, query }).finally(() => (done = true));
    await runtime.runUntil(() => done);
    return asked;
  };
  const initiate = () =>
    server.initiate(coap, channel.peerAt(own.localAddress().address, own.localAddress().port));
  return { runtime, server, requests, log, found, ask, initiate };
}

const CODES: Readonly<Record<string, number>> = {
  DELETE: CODE.DELETED,
  PUT: CODE.CHANGED,
  POST: CODE.CHANGED,
};
const obedient = (request: CoapRequest): CoapReply => ({ code: CODES[request.method] ?? CODE.BAD_REQUEST });

for (const format of [CONTENT_FORMAT.TLV, CONTENT_FORMAT.SENML_CBOR]) {
  test(`deletes, writes the accounts in format ${format} and finishes`, async () => {
    const bench = createBench(obedient);
    const query = format === CONTENT_FORMAT.TLV ? ['ep=meter'] : ['ep=meter', `pct=${format}`];
    assert.equal((await bench.ask(query)).code, CODE.CHANGED);
    await bench.runtime.advance(1000);
    const steps = bench.requests.map(({ method, path }) => `${method} ${path}`);
    assert.deepEqual(steps, ['DELETE /0', 'DELETE /1', 'PUT /0/1', 'PUT /1/1', 'POST /bs']);
    const write = bench.requests[2];
    const base = Lwm2mPath.parse('/0/1');
    const written = decodeContent(
      write?.contentFormat as ContentFormat,
      base,
      write?.payload ?? new Uint8Array(),
      models,
    );
    const key = written.find(({ path }) => path.resourceId === 5)?.value;
    assert.deepEqual(key, Uint8Array.of(1, 2, 3));
    assert.deepEqual(bench.log, ['finished meter']);
  });
}

test('refuses a stranger and a format that it cannot write', async () => {
  const bench = createBench(obedient);
  assert.equal((await bench.ask(['ep=stranger'])).code, CODE.FORBIDDEN);
  assert.equal((await bench.ask(['ep=meter', 'pct=0'])).code, CODE.UNSUPPORTED_CONTENT_FORMAT);
  await bench.runtime.advance(1000);
  assert.deepEqual(bench.requests, []);
});

test('gives up when the device refuses a step', async () => {
  const bench = createBench((request) =>
    request.method === 'PUT' ? { code: CODE.BAD_REQUEST } : obedient(request),
  );
  await bench.ask(['ep=meter']);
  await bench.runtime.advance(1000);
  assert.equal(bench.requests.length, 3);
  assert.match(bench.log[0] ?? '', /failed meter .*4\.00 to PUT \/0\/1/);
});

test('hands the configuration out as a pack', async () => {
  const bench = createBench(obedient);
  const pack = await bench.ask(['ep=meter'], 'GET', '/bspack');
  assert.equal(pack.code, CODE.CONTENT);
  const entries = decodeContent(CONTENT_FORMAT.SENML_CBOR, Lwm2mPath.ROOT, pack.payload, models);
  assert.equal(entries.find(({ path }) => path.toString() === '/1/1/1')?.value, 300);
});

/** A device that lists its instances and lets its Server object be read. */
const talkative = (request: CoapRequest): CoapReply => {
  if (request.method !== 'GET') return obedient(request);
  if (request.path === '/') {
    const payload = '</>;lwm2m=1.1,</0/1>;uri="coaps://bs",</0/0>;ssid=7;uri="coaps://old",</1/0>;ssid=7';
    return { code: CODE.CONTENT, contentFormat: CONTENT_FORMAT.LINK, payload };
  }
  if (request.path !== '/1') return { code: CODE.METHOD_NOT_ALLOWED };
  const path = Lwm2mPath.parse('/1/0/1');
  const payload = encodeContent(CONTENT_FORMAT.TLV, Lwm2mPath.parse('/1'), [{ path, value: 86_400 }], models);
  return { code: CODE.CONTENT, contentFormat: CONTENT_FORMAT.TLV, payload };
};
const READS = ['/1', '/2'].map((text) => Lwm2mPath.parse(text));

test('discovers and reads first, and writes no account over its own', async () => {
  const bench = createBench(talkative, { discover: true, reads: READS });
  await bench.ask(['ep=meter']);
  await bench.runtime.advance(1000);
  const steps = bench.requests.map(({ method, path }) => `${method} ${path}`);
  const changes = ['DELETE /0', 'DELETE /1', 'PUT /0/0', 'PUT /1/1', 'POST /bs'];
  assert.deepEqual(steps, ['GET /', 'GET /1', 'GET /2', ...changes]);
  const [findings] = bench.found;
  assert.equal(findings?.links?.length, 4);
  assert.deepEqual(
    findings.reads.map(({ code, entries }) => [code, entries.map(({ value }) => value)]),
    [
      [CODE.CONTENT, [86_400]],
      [CODE.METHOD_NOT_ALLOWED, []],
    ],
  );
  assert.deepEqual(bench.log, ['finished meter']);
});

test('goes on when the device does not tell what it has', async () => {
  for (const payload of ['</broken', undefined]) {
    const bench = createBench(
      (request) =>
        request.method === 'GET' && payload !== undefined
          ? { code: CODE.CONTENT, contentFormat: CONTENT_FORMAT.LINK, payload }
          : obedient(request),
      { discover: true, reads: [] },
    );
    await bench.ask(['ep=meter']);
    await bench.runtime.advance(1000);
    assert.deepEqual(bench.found, [{ links: undefined, reads: [] }]);
    assert.deepEqual(bench.log, ['finished meter']);
  }
});

test('begins by itself with a device that it knows by its credential, and with no other', async () => {
  const bench = createBench(obedient);
  const refused = bench.initiate();
  await bench.runtime.advance(1000);
  assert.equal(await refused, false);
  assert.deepEqual(bench.requests, []);
  const known = createBench(obedient, undefined, true);
  const begun = known.initiate();
  await known.runtime.advance(1000);
  assert.equal(await begun, true);
  assert.equal(known.requests.length, 5);
  assert.deepEqual(known.log, ['finished meter']);
});
