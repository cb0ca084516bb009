import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimNetwork, SimRuntime } from '@sefleet/runtime/sim';
import { CODE, type CoapEndpoint, type CoapReply, type CoapRequest, createCoapEndpoint } from './index.ts';

function pair(handler: (request: CoapRequest) => CoapReply | Promise<CoapReply>) {
  const runtime = new SimRuntime(1);
  const network = new SimNetwork(runtime);
  const server = createCoapEndpoint({ channel: network.bind('10.0.0.1', 5683), runtime, handler });
  const channel = network.bind('10.0.0.2', 40_000);
  const client = createCoapEndpoint({ channel, runtime });
  return { runtime, network, server, client, peer: channel.peerAt('10.0.0.1', 5683) };
}

async function settled<T>(runtime: SimRuntime, promise: Promise<T>): Promise<T> {
  let done = false;
  promise.then(
    () => (done = true),
    () => (done = true),
  );
  await runtime.runUntil(() => done);
  return promise;
}

function assertAtRest(...endpoints: CoapEndpoint[]): void {
  for (const endpoint of endpoints) {
    for (const [name, count] of Object.entries(endpoint.open())) {
      if (name !== 'representations') assert.equal(count, 0, name);
    }
  }
}

test('answers a confirmable GET in the acknowledgement', async () => {
  const { runtime, client, server, peer } = pair((request) => ({
    code: CODE.CONTENT,
    payload: `${request.method} ${request.path} ${request.query.join('&')}`,
    contentFormat: 0,
  }));
  const response = await settled(
    runtime,
    client.request(peer, { method: 'GET', path: '/a/b', query: ['x=1'] }),
  );
  assert.equal(response.code, CODE.CONTENT);
  assert.equal(response.text(), 'GET /a/b x=1');
  assert.equal(response.contentFormat, 0);
  assert.equal(server.counters()['messages.sent'], 1);
  assertAtRest(client, server);
  assert.equal(runtime.activeTimers, 0);
});

test('answers separately when the handler takes time', async () => {
  let calls = 0;
  const world = pair(async () => {
    calls++;
    await new Promise<void>((resolve) => world.runtime.timers.after(5000, resolve));
    return { code: CODE.CHANGED };
  });
  const { runtime, client, server, peer } = world;
  const response = await settled(runtime, client.request(peer, { method: 'POST', path: 'slow' }));
  assert.equal(response.code, CODE.CHANGED);
  assert.equal(calls, 1);
  await runtime.advance(300_000);
  assertAtRest(client, server);
  assert.equal(runtime.activeTimers, 0);
});

test('carries large bodies both ways in blocks', async () => {
  const { runtime, client, server, peer } = pair((request) => ({
    code: CODE.CHANGED,
    payload: request.payload.toReversed(),
  }));
  const body = Uint8Array.from({ length: 10_000 }, (_, i) => i % 251);
  const response = await settled(
    runtime,
    client.request(peer, { method: 'POST', path: 'echo', payload: body }),
  );
  assert.equal(response.code, CODE.CHANGED);
  assert.deepEqual(response.payload, body.toReversed());
  assertAtRest(client, server);
  await runtime.advance(300_000);
  assert.equal(runtime.activeTimers, 0);
});

test('observes: notifications arrive in order until the client deregisters', async () => {
  const observations: { notify(reply: CoapReply): void; active: boolean }[] = [];
  const { runtime, client, server, peer } = pair((request) => {
    const observation = request.observe?.accept();
    if (observation !== undefined) observations.push(observation);
    return { code: CODE.CONTENT, payload: 'first' };
  });
  const seen: string[] = [];
  const observation = await settled(
    runtime,
    client.observe(peer, { method: 'GET', path: 'temp' }, (response) => seen.push(response.text())),
  );
  assert.equal(observation.first.text(), 'first');
  assert.equal(observation.active, true);
  for (let i = 0; i < 25; i++) {
    observations[0]?.notify({ code: CODE.CONTENT, payload: `n${i}` });
    await runtime.advance(10);
  }
  observations[0]?.notify({ code: CODE.CONTENT, payload: 'large'.repeat(1000) });
  await runtime.advance(100);
  assert.equal(seen.length, 26);
  assert.equal(seen.at(-1)?.length, 5000);
  await settled(runtime, observation.cancel());
  assert.equal(observations[0]?.active, false);
  assertAtRest(client, server);
});
