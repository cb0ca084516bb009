import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CODE, createCoapEndpoint, type CoapEndpoint, type ServerObservation } from '@sefleet/coap';
import { createDtlsEndpoint, createSoftwarePsk, type DtlsEndpoint } from '@sefleet/dtls';
import { isSefleetError } from '@sefleet/errors';
import { SimNetwork, SimRuntime } from '@sefleet/runtime/sim';

/** Another range of seeds for a longer run: `SEEDS=5000 node --test test/simulation/coaps.test.ts`. */
const SEEDS = Number(process.env['SEEDS'] ?? 1000);
const LIMIT_MS = 4 * 3_600_000;
const SETTINGS = { ackTimeoutMs: 2000, responseTimeoutMs: 60_000, blockSizeBytes: 64 };
const PSK = createSoftwarePsk('device', new Uint8Array(16).fill(7));
/** What bad luck on the network may end in; everything else is a fault. */
const BAD_LUCK =
  /^(DTLS_HANDSHAKE_|DTLS_TIMEOUT|COAP_TIMEOUT|COAP_PEER_GONE|COAP_BODY_CHANGED|COAP_BLOCK_REFUSED)/;

interface Tally {
  transfers: number;
  notifications: number;
  readonly failed: Map<string, number>;
}

test(`${SEEDS} seeds of handshake, blockwise transfer and observation on one device`, async () => {
  const tally: Tally = { transfers: 0, notifications: 0, failed: new Map() };
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      await simulate(seed, tally);
    } catch (error) {
      throw new assert.AssertionError({ message: `seed ${seed}: ${String(error)}`, operator: 'simulate' });
    }
  }
  console.log(
    `${tally.transfers} transfers, ${tally.notifications} notifications, failed: ${JSON.stringify([...tally.failed])}`,
  );
  assert.ok(tally.transfers > SEEDS / 2);
  assert.ok(tally.notifications > SEEDS);
  for (const code of tally.failed.keys()) assert.match(code, BAD_LUCK);
});

async function simulate(seed: number, tally: Tally): Promise<void> {
  const runtime = new SimRuntime(seed);
  const fraction = (): number => runtime.rng.fraction();
  const network = new SimNetwork(runtime, {
    loss: fraction() * 0.3,
    duplicate: fraction() * 0.3,
    delayMsMin: 1,
    delayMsMax: 1 + fraction() * 1500,
  });
  const observations = new Set<ServerObservation>();
  const securedServer = createDtlsEndpoint({
    channel: network.bind('10.0.0.1', 5684),
    runtime,
    connectionIdLength: 6,
    server: { pskFor: () => PSK },
  });
  const server = serve(securedServer, runtime, observations);
  const channel = network.bind('10.0.1.1');
  const secured = createDtlsEndpoint({ channel, runtime, connectionIdLength: 0 });
  const client = createCoapEndpoint({ channel: secured, runtime, settings: SETTINGS });
  for (let i = 1; i <= 8; i++) {
    runtime.timers.after(i * 8000, () => {
      for (const observation of observations)
        observation.notify({ code: CODE.CONTENT, payload: `state ${i}` });
    });
  }
  // The connection ID keeps the session when a NAT gives the device another address (RFC 9146).
  runtime.timers.after(fraction() * 40_000, () => network.rebind(channel, '10.0.2.1'));
  let done = false;
  void live(client, secured, 'x'.repeat(Math.floor(fraction() * 900)), tally).then(() => (done = true));
  assert.ok(await runtime.runUntil(() => done, LIMIT_MS), 'an operation is stuck');
  await runtime.advance(120_000);
  await client.close();
  await server.close();
  await runtime.advance(600_000);
  assert.equal(runtime.activeTimers, 0, 'timers are left');
}

function serve(
  channel: DtlsEndpoint,
  runtime: SimRuntime,
  observations: Set<ServerObservation>,
): CoapEndpoint {
  return createCoapEndpoint({
    channel,
    runtime,
    settings: SETTINGS,
    handler: (request) => {
      assert.deepEqual(request.peer.identity, { kind: 'psk', identity: 'device' });
      if (request.path === '/echo') return { code: CODE.CHANGED, payload: request.payload };
      const observation = request.observe?.accept();
      if (observation !== undefined) {
        observations.add(observation);
        observation.onEnd(() => observations.delete(observation));
      }
      return { code: CODE.CONTENT, payload: 'state 0' };
    },
  });
}

/** A device's life: shake hands, observe, send a body in blocks and get it back, again and again. */
async function live(client: CoapEndpoint, secured: DtlsEndpoint, body: string, tally: Tally): Promise<void> {
  try {
    const peer = await secured.connect('10.0.0.1', 5684, { psk: PSK });
    await client.observe(peer, { method: 'GET', path: '/state' }, () => tally.notifications++);
    for (let i = 0; i < 3; i++) {
      const response = await client.request(peer, { method: 'POST', path: '/echo', payload: body });
      assert.equal(response.text(), body);
      tally.transfers++;
    }
  } catch (error) {
    if (!isSefleetError(error)) throw error;
    tally.failed.set(error.code, (tally.failed.get(error.code) ?? 0) + 1);
  }
}
