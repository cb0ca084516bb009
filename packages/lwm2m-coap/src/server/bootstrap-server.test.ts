import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CODE, createCoapEndpoint } from '@sefleet/coap';
import type { CoapReply, CoapRequest } from '@sefleet/coap';
import { CONTENT_FORMAT, decodeContent, Lwm2mPath, omaModels } from '@sefleet/lwm2m';
import type { ContentFormat } from '@sefleet/lwm2m';
import { SimNetwork, SimRuntime } from '@sefleet/runtime/sim';
import { accountWrites } from './account-writes.ts';
import { createBootstrapServer } from './bootstrap-server.ts';

const models = omaModels();

function createBench(answer: (request: CoapRequest) => CoapReply) {
  const runtime = new SimRuntime(2);
  const network = new SimNetwork(runtime);
  const log: string[] = [];
  const server = createBootstrapServer({
    runtime,
    models,
    authoriser: { authorise: (_peer, endpoint) => (endpoint === 'meter' ? { endpoint } : undefined) },
    configurationFor: () => ({
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
      finished: ({ endpoint }) => void log.push(`finished ${endpoint}`),
      failed: ({ endpoint }, error) => void log.push(`failed ${endpoint} ${String(error)}`),
    },
  });
  const channel = network.bind('10.0.0.1', 5683);
  server.listen((handler) => createCoapEndpoint({ runtime, channel, handler }));
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
  return { runtime, server, requests, log, ask };
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
  assert.equal((await bench.ask(['ep=meter', 'pct=0'])).code, CODE.BAD_REQUEST);
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
