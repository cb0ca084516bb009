import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Peer } from '@sefleet/runtime';
import { SimNetwork, SimRuntime } from '@sefleet/runtime/sim';
import { createDtlsEndpoint, createSoftwarePsk, type DtlsEndpointOptions } from '../index.ts';

const KEY = new Uint8Array(16).fill(7);

function world(
  options: { server?: Partial<DtlsEndpointOptions>; client?: Partial<DtlsEndpointOptions> } = {},
) {
  const runtime = new SimRuntime(1);
  const network = new SimNetwork(runtime);
  const psk = createSoftwarePsk('meter-1', KEY);
  const server = createDtlsEndpoint({
    channel: network.bind('10.0.0.1', 5684),
    runtime,
    server: { pskFor: (identity) => (identity === 'meter-1' ? psk : undefined) },
    ...options.server,
  });
  const channel = network.bind('10.0.0.2');
  const client = createDtlsEndpoint({ channel, runtime, ...options.client });
  return { runtime, network, server, client, channel, psk };
}

test('completes a PSK handshake and carries datagrams both ways', async () => {
  const { runtime, server, client, psk } = world();
  const heard: string[] = [];
  server.listen({
    datagram: (data, peer) => {
      heard.push(Buffer.from(data).toString());
      server.send(Buffer.from('pong'), peer);
    },
  });
  client.listen({ datagram: (data) => heard.push(Buffer.from(data).toString()) });
  let peer: Peer | undefined;
  client.connect('10.0.0.1', 5684, { psk }).then((p) => (peer = p));
  await runtime.runUntil(() => peer !== undefined, 10_000);
  assert.ok(peer, JSON.stringify([server.counters(), client.counters()]));
  client.send(Buffer.from('ping'), peer);
  await runtime.runUntil(() => heard.length === 2, 10_000);
  assert.deepEqual(heard, ['ping', 'pong']);
});
