/**
 * Broken datagrams against a live server and a live client: no exception, no hang, no growth of memory.
 * `node test/load/fuzz-coap.ts [--count 5000000] [--seed 1] [--from 0] [--json]`: the same seed gives the
 * same datagrams, and `--from` starts at the batch that an interrupted run or a failure names.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { CODE, type CoapEndpoint, type CoapReply, type CoapRequest, createCoapEndpoint } from '@sefleet/coap';
import { isSefleetError } from '@sefleet/errors';
import type { DatagramChannel, DatagramHandlers, Peer, Rng } from '@sefleet/runtime';
import { createSeededRng, SimRuntime } from '@sefleet/runtime/sim';
import { mutate } from './coap/mutations.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '5000000' },
    seed: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
    json: { type: 'boolean', default: false },
  },
});

// As --expose-gc does, without the command having to say so.
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void; // what the flag puts there

const BATCH = 1000;
const PEERS = 64;
/** Sent datagrams kept to be answered and mutated. */
const MAX_KEPT = 256;
/** Heap above what the first tenth of the run needed, once it has settled. */
const MAX_GROWTH_BYTES = 64 * 1_048_576;

const corpus = readFileSync(new URL('./coap/corpus.txt', import.meta.url), 'utf8')
  .split('\n')
  .map((line) => Uint8Array.from(Buffer.from(line.replace(/#.*/, '').trim(), 'hex')))
  .filter((data) => data.length > 0);

/** A channel whose other side is this file. */
class FuzzChannel implements DatagramChannel {
  handlers: DatagramHandlers | undefined;
  /** The last datagrams that the endpoint sent. */
  readonly sent: { readonly data: Uint8Array; readonly peer: Peer }[] = [];
  total = 0;

  listen(handlers: DatagramHandlers): void {
    this.handlers = handlers;
  }

  send(data: Uint8Array, peer: Peer): void {
    this.total++;
    if (this.sent.length === MAX_KEPT) this.sent.shift();
    this.sent.push({ data: data.slice(), peer });
  }

  maxPayload(): number {
    return 1232;
  }

  localAddress(): { readonly address: string; readonly port: number } {
    return { address: '192.0.2.1', port: 5683 };
  }

  counters(): Readonly<Record<string, number>> {
    return {};
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

const FALLBACK: Peer = {
  key: '203.0.113.9:5683',
  address: '203.0.113.9',
  port: 5683,
  identity: { kind: 'none' },
};
const runtime = new SimRuntime(Number(values.seed));
const channel = new FuzzChannel();
const endpoint = createCoapEndpoint({
  channel,
  runtime,
  handler: answer,
  settings: {
    separateAfterMs: 20,
    responseTimeoutMs: 5000,
    ackTimeoutMs: 500,
    maxRetransmit: 2,
    blockLifetimeMs: 20_000,
  },
  limits: { maxDeduplicationBytes: 8_388_608, maxBlockwiseBytes: 4_194_304, maxBodyBytes: 65_536 },
});
const peers = Array.from({ length: PEERS }, (_, i): Peer => {
  const address = `198.51.100.${i}`;
  return { key: `${address}:5683`, address, port: 5683, identity: { kind: 'none' } };
});
await run(Number(values.from), Math.ceil(Number(values.count) / BATCH));

async function run(from: number, batches: number): Promise<void> {
  const start = performance.now();
  let heapBytes = 0;
  for (let batch = from; batch < from + batches; batch++) {
    try {
      oneBatch(createSeededRng(Number(values.seed) * 1_000_003 + batch));
      await runtime.advance(100);
      if (batch % 100 === 0) await alive();
    } catch (error) {
      console.error(`batch ${batch} (--seed ${values.seed} --from ${batch})`);
      throw error;
    }
    if (batch === from + Math.floor(batches / 10)) heapBytes = settledHeap();
  }
  const growthBytes = Math.max(0, settledHeap() - heapBytes);
  await rest(endpoint);
  const datagrams = batches * BATCH;
  const seconds = (performance.now() - start) / 1000;
  report({ datagrams, answered: channel.total, seconds, growthBytes, counters: endpoint.counters() });
  if (growthBytes > MAX_GROWTH_BYTES) throw new RangeError(`the heap grew by ${growthBytes} bytes`);
}

function oneBatch(rng: Rng): void {
  const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(rng.fraction() * items.length)];
  // The client's side: requests whose answers are broken below. What becomes of each is its own affair.
  const peer = pick(peers);
  if (peer !== undefined) ask(peer, rng);
  for (let i = 0; i < BATCH; i++) {
    const to = pick(peers);
    if (to === undefined) return;
    const draw = rng.fraction();
    if (draw < 0.05) channel.handlers?.datagram(rng.bytes(Math.floor(rng.fraction() * 64)), to);
    else if (draw < 0.6) channel.handlers?.datagram(mutate(fresh(pick(corpus), rng), rng), to);
    else {
      const sent = pick(channel.sent);
      if (sent !== undefined) channel.handlers?.datagram(mutate(replyTo(sent.data, rng), rng), sent.peer);
    }
  }
  if (rng.fraction() < 0.1) channel.handlers?.peerGone?.(peers[0] ?? peers[1] ?? FALLBACK, 'fuzzed');
}

/**
 * A message of the corpus, mostly under an id of its own: a repetition goes no further than the duplicates'
 * table.
 */
function fresh(source: Uint8Array | undefined, rng: Rng): Uint8Array {
  const data = source?.slice() ?? rng.bytes(4);
  if (data.length >= 4 && rng.fraction() < 0.8) data.set(rng.bytes(2), 2);
  return data;
}

/**
 * What was sent, turned into something that could answer it: the same id and token under another type and
 * code.
 */
function replyTo(sent: Uint8Array, rng: Rng): Uint8Array {
  const data = sent.slice();
  const types = [0x40, 0x50, 0x60, 0x70];
  const codes = [0x00, 0x41, 0x44, 0x45, 0x5f, 0x81, 0x84, 0x88, 0x8d, 0xa0];
  data[0] = ((data[0] ?? 0) & 0x0f) | (types[Math.floor(rng.fraction() * types.length)] ?? 0x60);
  data[1] = codes[Math.floor(rng.fraction() * codes.length)] ?? 0x45;
  return data;
}

function ask(peer: Peer, rng: Rng): void {
  const quiet = (error: unknown): void => {
    if (!isSefleetError(error)) throw error;
  };
  const payload = 'x'.repeat(Math.floor(rng.fraction() * 4000));
  endpoint.request(peer, { method: 'PUT', path: '/up', payload, blockSize: 64 }).catch(quiet);
  endpoint.request(peer, { method: 'GET', path: '/down', confirmable: rng.fraction() < 0.5 }).catch(quiet);
  endpoint
    .observe(peer, { method: 'GET', path: '/state' }, () => {})
    .then((observation) => observation.cancel(rng.fraction() < 0.5 ? 'forget' : 'deregister'))
    .catch(quiet);
}

function answer(request: CoapRequest): CoapReply | Promise<CoapReply> {
  const observation = request.observe?.accept();
  if (observation !== undefined) {
    runtime.timers.after(50, () => observation.notify({ code: CODE.CONTENT, payload: 'y'.repeat(2000) }));
    runtime.timers.after(500, () => observation.end());
  }
  if (request.path.length % 5 === 4) return Promise.resolve({ code: CODE.CONTENT, payload: request.payload });
  if (request.query.length > 0) return { code: CODE.CONTENT, payload: request.query.join() };
  if (request.path === '/large') return { code: CODE.CONTENT, payload: 'z'.repeat(5000) };
  return { code: CODE.CHANGED, payload: request.payload, locationPath: request.segments };
}

/** After all that, a plain request is still answered. */
async function alive(): Promise<void> {
  const before = channel.total;
  channel.handlers?.datagram(Uint8Array.of(0x40, 0x00, 0x12, 0x34), FALLBACK);
  await runtime.advance(1);
  if (channel.total === before) throw new RangeError('a ping is no longer answered');
}

/** When nothing comes any more, nothing stays open. */
async function rest(subject: CoapEndpoint): Promise<void> {
  await runtime.advance(600_000);
  const open = Object.entries(subject.open()).filter(([, count]) => count !== 0);
  if (open.length > 0) throw new RangeError(`still open: ${JSON.stringify(open)}`);
  if (runtime.activeTimers > 0) throw new RangeError(`${runtime.activeTimers} timers leaked`);
}

function settledHeap(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
}

function report(result: Readonly<Record<string, unknown>>): void {
  if (values.json) console.log(JSON.stringify({ fuzz: 'coap', seed: values.seed, ...result }));
  else console.log(result);
}
