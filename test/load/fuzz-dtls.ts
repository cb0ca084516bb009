/**
 * Mutated datagrams between a live client and a live server. `npm run fuzz` or
 * `node test/load/fuzz-dtls.ts [--datagrams 1000000] [--seed 1] [--from 0]`
 *
 * An episode is one connection with a man in the middle who changes, repeats, swaps and invents datagrams,
 * from the first
 * ClientHello to the last record. Every episode follows from the seed and its number: `--from` goes on where
 * a run ended.
 * It ends with exit code 5 on the first breach: an exception, a timer or a handshake that is left, growing
 * memory.
 */
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  createDtlsEndpoint,
  createSoftwarePsk,
  createSoftwareSigningKey,
  type DtlsClientSettings,
  type DtlsEndpoint,
} from '@sefleet/dtls';
import type { Peer } from '@sefleet/runtime';
import { createSeededRng } from '@sefleet/runtime/sim';
import { ManualRuntime, MemoryChannel } from './dtls/memory-path.ts';
import { mutate } from './dtls/mutate.ts';

const { values } = parseArgs({
  options: {
    datagrams: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
  },
});

const BREACH = 5;
const POOL_MAX = 400;
const DATAGRAMS_PER_EPISODE_MAX = 400;
/** Longer than all time-outs of a handshake together, and the time for which a last flight is kept. */
const LONG_MS = 600_000;
const HEAP_GROWTH_MAX_BYTES = 64 * 1_048_576;

const corpus = readFileSync(new URL('../fixtures/dtls/first-flights.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => new Uint8Array(Buffer.from(line, 'hex')));
const psk = createSoftwarePsk('fuzz', new Uint8Array(16).fill(1));
const signingKey = () =>
  createSoftwareSigningKey({
    privateKey: generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey,
  });
const serverKey = signingKey();
const clientKey = signingKey();
const trust = { rawPublicKey: () => true };
const settings: readonly DtlsClientSettings[] = [
  { psk, cipherSuites: ['TLS_PSK_WITH_AES_128_CCM_8'] },
  { psk },
  { trust, signingKey: clientKey },
];

let delivered = 0;
let sessions = 0;
let episode = Number(values.from);
const pool: Uint8Array[] = [...corpus];
const wanted = Number(values.datagrams);
const startedMs = performance.now();
process.on('unhandledRejection', (error) => breach(error));

await run();

async function run(): Promise<void> {
  let heapBefore = 0;
  while (delivered < wanted) {
    try {
      await live(episode);
    } catch (error) {
      breach(error);
    }
    episode++;
    if (episode % 2000 !== 0) continue;
    globalThis.gc?.();
    const { heapUsed } = process.memoryUsage();
    heapBefore ||= heapUsed;
    if (heapUsed - heapBefore > HEAP_GROWTH_MAX_BYTES)
      breach(new RangeError(`the heap grew to ${heapUsed} bytes`));
    const rate = Math.round(delivered / ((performance.now() - startedMs) / 1000));
    console.log(
      `episode ${episode}: ${delivered} datagrams, ${sessions} sessions, ${rate}/s, heap ${heapUsed >> 20} MiB`,
    );
  }
  console.log(
    `${delivered} datagrams in ${episode - Number(values.from)} episodes, ${sessions} sessions, no breach`,
  );
}

async function live(number: number): Promise<void> {
  const rng = createSeededRng(Number(values.seed) * 1_000_003 + number);
  const runtime = new ManualRuntime(rng);
  const paths = { client: new MemoryChannel('10.0.0.2'), server: new MemoryChannel('10.0.0.1') };
  const cids = [undefined, 0, 4];
  const connectionIdLength = cids[Math.floor(number / 3) % 3];
  const server = createDtlsEndpoint({
    channel: paths.server,
    runtime,
    connectionIdLength,
    returnRoutability: true,
    server: {
      pskFor: (identity) => (identity === 'fuzz' ? psk : undefined),
      signingKeyFor: () => serverKey,
      clientAuthentication: 'required',
      trust,
    },
  });
  const client = createDtlsEndpoint({
    channel: paths.client,
    runtime,
    connectionIdLength,
    returnRoutability: true,
  });
  server.listen({ datagram: (data, peer) => server.send(data, peer) });
  client.listen({ datagram: () => {} });
  let peer: Peer | undefined;
  let over = false;
  client.connect('10.0.0.1', 1, settings[number % settings.length] ?? {}).then(
    (established) => {
      peer = established;
      sessions++;
    },
    () => {
      over = true;
    },
  );
  const malice = rng.fraction() ** 3 * 0.5;
  for (let turn = 0, sent = 0; turn < DATAGRAMS_PER_EPISODE_MAX && !over; turn++) {
    const carried =
      carry(paths.client, paths.server, malice, rng) + carry(paths.server, paths.client, malice, rng);
    if (turn % 4 === 0) await new Promise(setImmediate);
    if (carried > 0) continue;
    if (peer === undefined) runtime.fireTimers(1000);
    else if (sent++ < 6) client.send(rng.bytes(20), peer);
    else break;
  }
  await close(client, server, runtime);
}

/** Delivers what one side sent, honestly or not. */
function carry(
  from: MemoryChannel,
  to: MemoryChannel,
  malice: number,
  rng: ReturnType<typeof createSeededRng>,
): number {
  const batch = from.outbox.splice(0);
  const sender = to.peerAt(from.localAddress().address, 1);
  const stranger = to.peerAt('10.9.9.9', 9);
  const give = (data: Uint8Array, who: Peer): void => {
    delivered++;
    to.deliver(data, who);
  };
  for (const data of batch) {
    if (pool.length < POOL_MAX) pool.push(data);
    else pool[Math.floor(rng.fraction() * POOL_MAX)] = data;
    for (let i = 0; i < 8; i++)
      give(mutate(pool[Math.floor(rng.fraction() * pool.length)] ?? data, pool, rng), stranger);
    if (rng.fraction() < malice) give(mutate(data, pool, rng), sender);
    if (rng.fraction() < malice / 2) give(pool[Math.floor(rng.fraction() * pool.length)] ?? data, sender);
    if (rng.fraction() < malice / 4) continue;
    give(data, sender);
  }
  return batch.length;
}

async function close(client: DtlsEndpoint, server: DtlsEndpoint, runtime: ManualRuntime): Promise<void> {
  runtime.fireTimers(LONG_MS);
  await new Promise(setImmediate);
  const under = server.counters()['handshakes.underWay'] ?? 0;
  if (under > 0) throw new RangeError(`${under} handshakes never end`);
  await client.close();
  await server.close();
  await new Promise(setImmediate);
  if (runtime.waiting > 0) throw new RangeError(`${runtime.waiting} timers are left`);
}

function breach(error: unknown): never {
  console.error(`breach in episode ${episode} of seed ${values.seed}:`, error);
  process.exit(BREACH);
}
