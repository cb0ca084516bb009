import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '@sefleet/bytes';
import type { DatagramChannel, DatagramHandlers } from '@sefleet/runtime';
import { createCoapEndpoint } from './coap-endpoint.ts';
import { assertAtRest, lockstep, settled } from './testing/lockstep.ts';

test('the caller bounds a request by time or withdraws it', async () => {
  const { script, runtime, endpoint, peer } = lockstep();
  const short = endpoint.request(peer, { method: 'GET', timeoutMs: 500 });
  await script.expect({ type: 'CON' });
  await assert.rejects(settled(runtime, short, 600), { code: 'COAP_TIMEOUT' });
  const controller = new AbortController();
  const withdrawn = endpoint.request(peer, { method: 'GET', signal: controller.signal });
  await script.expect({ type: 'CON' });
  controller.abort();
  await assert.rejects(withdrawn, { code: 'COAP_ABORTED' });
  await assert.rejects(endpoint.request(peer, { method: 'GET', signal: AbortSignal.abort() }), {
    code: 'COAP_ABORTED',
  });
  await script.expectNothing(100_000);
  await assertAtRest(runtime, endpoint);
});

test('closing rejects what is under way', async () => {
  const { script, runtime, endpoint, peer } = lockstep();
  const closed = { code: 'COAP_CLOSED' };
  const request = assert.rejects(endpoint.request(peer, { method: 'GET' }), closed);
  const observation = assert.rejects(
    endpoint.observe(peer, { method: 'GET' }, () => {}),
    closed,
  );
  await script.expect({ type: 'CON' });
  await endpoint.close();
  await request;
  await observation;
  await assert.rejects(endpoint.request(peer, { method: 'GET' }), closed);
  await assert.rejects(endpoint.ping(peer), closed);
  await endpoint.close();
  await assertAtRest(runtime, endpoint);
});

test('a conversation that ends takes all of its state with it', async () => {
  const { runtime, network, peer } = lockstep();
  let handlers: DatagramHandlers | undefined;
  let payloadBytes = 1200;
  const inner = network.bind('10.0.0.9', 5683);
  const channel: DatagramChannel = {
    listen: (given) => {
      handlers = given;
      inner.listen(given);
    },
    send: (data, to) => inner.send(data, to),
    maxPayload: () => payloadBytes,
    localAddress: () => inner.localAddress(),
    counters: () => ({}),
    close: () => inner.close(),
  };
  const endpoint = createCoapEndpoint({ channel, runtime, handler: () => new Promise(() => {}) });
  const gone = { code: 'COAP_PEER_GONE' };
  const requests = [1, 2, 3].map(() => assert.rejects(endpoint.request(peer, { method: 'GET' }), gone));
  const observed = assert.rejects(
    endpoint.observe(peer, { method: 'GET' }, () => {}),
    gone,
  );
  handlers?.datagram(fromHex('40010001'), peer);
  handlers?.peerGone?.(peer, 'the session was closed');
  await Promise.all([...requests, observed]);
  // As a DTLS endpoint says of a peer without a session.
  payloadBytes = 0;
  await assert.rejects(endpoint.request(peer, { method: 'GET' }), gone);
  await runtime.advance(1000);
  const { handling, ...rest } = endpoint.open();
  assert.equal(handling, 1, 'the handler itself still runs');
  assert.deepEqual(
    Object.values(rest).filter((count) => count !== 0),
    [],
  );
  assert.equal(runtime.activeTimers, 0);
});
