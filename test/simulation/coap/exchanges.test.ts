import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type ClientObservation,
  CODE,
  type CoapEndpoint,
  type CoapReply,
  type CoapRequest,
  createCoapEndpoint,
  type ServerObservation,
} from '@sefleet/coap';
import { isSefleetError } from '@sefleet/errors';
import { SimNetwork, SimRuntime } from '@sefleet/runtime/sim';

/** Another range of seeds for a longer run: `SEEDS=20000 node --test test/simulation/coap`. */
const SEEDS = Number(process.env['SEEDS'] ?? 1000);
const CLIENTS = 3;
/** All retransmissions, separate responses and restarts of blockwise transfers end long before. */
const LIMIT_MS = 4 * 3_600_000;
const TRANSMISSION = { ackTimeoutMs: 2000, responseTimeoutMs: 60_000, blockSizeBytes: 64 };

interface Tally {
  succeeded: number;
  readonly failed: Map<string, number>;
  notifications: number;
}

test(`${SEEDS} seeds of exchanges, transfers and observations under loss, duplicates, reordering and new addresses`, async () => {
  const tally: Tally = { succeeded: 0, failed: new Map(), notifications: 0 };
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      await simulate(seed, tally);
    } catch (error) {
      throw new assert.AssertionError({ message: `seed ${seed}: ${String(error)}`, operator: 'simulate' });
    }
  }
  const { succeeded, failed, notifications } = tally;
  console.log(
    `${succeeded} succeeded, ${notifications} notifications, failed: ${JSON.stringify([...failed])}`,
  );
  assert.ok(succeeded > SEEDS * 5, `${succeeded} operations succeeded`);
  assert.ok(notifications > SEEDS, `${notifications} notifications`);
  for (const code of failed.keys()) assert.ok(EXPECTED.has(code), code);
});

/** What bad luck on the network may end in; everything else is a fault. */
const EXPECTED = new Set(['COAP_TIMEOUT', 'COAP_RESET', 'COAP_BLOCK_REFUSED', 'COAP_BODY_CHANGED']);

async function simulate(seed: number, tally: Tally): Promise<void> {
  const runtime = new SimRuntime(seed);
  const fraction = (): number => runtime.rng.fraction();
  const conditions = {
    loss: fraction() * 0.3,
    duplicate: fraction() * 0.3,
    delayMsMin: 1,
    delayMsMax: 1 + fraction() * 4000,
  };
  const network = new SimNetwork(runtime, conditions);
  const observations = new Set<ServerObservation>();
  const server = createCoapEndpoint({
    channel: network.bind('10.0.0.1', 5683),
    runtime,
    settings: TRANSMISSION,
    handler: (request) => handle(runtime, request, observations),
  });
  const clients: CoapEndpoint[] = [];
  const work: Promise<void>[] = [];
  const observed: ClientObservation[] = [];
  for (let i = 0; i < CLIENTS; i++) {
    const channel = network.bind(`10.0.1.${i + 1}`);
    const client = createCoapEndpoint({ channel, runtime, settings: TRANSMISSION });
    clients.push(client);
    const peer = channel.peerAt('10.0.0.1', 5683);
    const counted = (operation: Promise<unknown>): Promise<void> => count(operation, tally);
    const body = 'x'.repeat(Math.floor(fraction() * 600));
    work.push(
      counted(client.request(peer, { method: 'GET', path: '/small' })),
      counted(client.request(peer, { method: 'GET', path: '/small', confirmable: false })),
      counted(echoed(client.request(peer, { method: 'POST', path: '/echo', payload: body }), body)),
      counted(client.request(peer, { method: 'GET', path: '/slow' })),
      counted(
        client
          .observe(peer, { method: 'GET', path: '/state' }, () => tally.notifications++)
          .then((observation) => observed.push(observation)),
      ),
    );
    // A NAT that forgets its binding in the middle of it all.
    if (fraction() < 0.2)
      runtime.timers.after(fraction() * 20_000, () => network.rebind(channel, `10.0.2.${i + 1}`));
  }
  for (let i = 1; i <= 10; i++) runtime.timers.after(i * 3000, () => notifyAll(observations, `state ${i}`));
  let done = false;
  void Promise.all(work).then(() => (done = true));
  assert.ok(await runtime.runUntil(() => done, LIMIT_MS), 'an operation is stuck');
  await atRest(runtime, server, clients, observed, observations);
}

function handle(
  runtime: SimRuntime,
  request: CoapRequest,
  observations: Set<ServerObservation>,
): CoapReply | Promise<CoapReply> {
  if (request.path === '/echo') return { code: CODE.CHANGED, payload: request.payload };
  if (request.path === '/slow') {
    return new Promise((resolve) =>
      runtime.timers.after(5000, () => resolve({ code: CODE.CONTENT, payload: 'slow' })),
    );
  }
  const observation = request.observe?.accept();
  if (observation !== undefined) {
    observations.add(observation);
    observation.onEnd(() => observations.delete(observation));
  }
  return { code: CODE.CONTENT, payload: 'small' };
}

/** Every third state is large, so that its blocks are fetched while newer states come. */
function notifyAll(observations: ReadonlySet<ServerObservation>, state: string): void {
  const payload = state.endsWith('3') ? state.repeat(30) : state;
  for (const observation of observations) observation.notify({ code: CODE.CONTENT, payload });
}

async function echoed(
  request: Promise<{ readonly success: boolean; text(): string }>,
  body: string,
): Promise<void> {
  const response = await request;
  if (response.success) assert.equal(response.text(), body);
}

async function count(operation: Promise<unknown>, tally: Tally): Promise<void> {
  try {
    await operation;
    tally.succeeded++;
  } catch (error) {
    if (!isSefleetError(error)) throw error;
    tally.failed.set(error.code, (tally.failed.get(error.code) ?? 0) + 1);
  }
}

/**
 * On a network that has recovered, what is left of the observations ends, and then nothing is left at all.
 */
async function atRest(
  runtime: SimRuntime,
  server: CoapEndpoint,
  clients: readonly CoapEndpoint[],
  observed: readonly ClientObservation[],
  observations: ReadonlySet<ServerObservation>,
): Promise<void> {
  for (const observation of observed) await observation.cancel('forget');
  for (const observation of observations) observation.notify({ code: CODE.CONTENT }, { confirmable: true });
  await runtime.advance(1_000_000);
  for (const observation of observations) observation.end();
  await runtime.advance(1_000_000);
  for (const endpoint of [server, ...clients]) {
    const open = Object.entries(endpoint.open()).filter(([, number]) => number !== 0);
    assert.deepEqual(open, []);
  }
  assert.equal(runtime.activeTimers, 0, 'timers leaked');
}
