/**
 * The client's side of a CoAP benchmark: `client-process.ts <subject> <port> <rounds> <seconds> <window>`.
 */
import { createSocket } from 'node:dgram';
import { type CoapResponse, createCoapEndpoint } from '@sefleet/coap';
import { createDtlsEndpoint, createSoftwarePsk } from '@sefleet/dtls';
import { createNodeRuntime, FfiUdpChannel, UdpChannel } from '@sefleet/runtime/node';
import coap from 'coap';
import { type ClientRound, type CoapSubject, PSK, PSK_IDENTITY } from './protocol.ts';

const [, , subjectText = '', portText = '', roundsText = '', secondsText = '', windowText = ''] =
  process.argv;
const subject = subjectText as CoapSubject; // the parent starts this file with nothing else
const port = Number(portText);
const windowSize = Number(windowText);
const REQUEST = { method: 'GET', path: '/3/0/9' } as const;

/** Makes one request; each worker of the window has a number. */
type Ask = (worker: number) => Promise<void>;

const ask = await connect(subject);
await run(0.5);
const rounds: ClientRound[] = [];
for (let i = 0; i < Number(roundsText); i++) rounds.push(await run(Number(secondsText)));
process.send?.(rounds);
process.disconnect?.();
process.exit(0);

/** Keeps a window of requests open for `seconds`. */
async function run(seconds: number): Promise<ClientRound> {
  const latencies: number[] = [];
  let failed = 0;
  const before = process.cpuUsage();
  const start = performance.now();
  const end = start + seconds * 1000;
  const worker = async (number: number): Promise<void> => {
    for (let sent = performance.now(); sent < end; sent = performance.now()) {
      try {
        await ask(number);
        latencies.push(performance.now() - sent);
      } catch {
        failed++;
      }
    }
  };
  await Promise.all(Array.from({ length: windowSize }, (_, number) => worker(number)));
  const { user, system } = process.cpuUsage(before);
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => (latencies[Math.floor(latencies.length * share)] ?? 0) * 1000;
  return {
    requests: latencies.length,
    failed,
    seconds: (performance.now() - start) / 1000,
    cpuSeconds: (user + system) / 1e6,
    p50: at(0.5),
    p99: at(0.99),
  };
}

async function connect(which: CoapSubject): Promise<Ask> {
  if (which === 'node-coap') return connectNodeCoap();
  if (which === 'dgram echo') return connectEcho();
  if (which === 'sefleet coaps') return connectSecured();
  const Channel = which === 'sefleet ffi' ? FfiUdpChannel : UdpChannel;
  const channel = await Channel.bind({ receiveBufferBytes: 4_194_304 });
  const settings = { nstart: windowSize };
  const endpoint = createCoapEndpoint({ channel, runtime: createNodeRuntime(), settings });
  const peer = channel.peerAt('127.0.0.1', port);
  return async () => {
    const response = await endpoint.request(peer, REQUEST);
    if (!response.success) throw new RangeError(`answered ${response.code}`);
  };
}

/** A DTLS session, a socket and an endpoint for each worker, as a fleet has them. */
async function connectSecured(): Promise<Ask> {
  const runtime = createNodeRuntime();
  const psk = createSoftwarePsk(PSK_IDENTITY, PSK);
  const clients: (() => Promise<CoapResponse>)[] = [];
  const open = async (): Promise<void> => {
    const channel = createDtlsEndpoint({ channel: await UdpChannel.bind(), runtime });
    const endpoint = createCoapEndpoint({ channel, runtime });
    const peer = await channel.connect('127.0.0.1', port, { psk });
    clients.push(() => endpoint.request(peer, REQUEST));
  };
  // A few at a time: a fleet that starts at once is another benchmark.
  for (let i = 0; i < windowSize; i += 50) await Promise.all(Array.from({ length: 50 }, open));
  return async (worker) => {
    const response = await clients[worker]?.();
    if (response?.success !== true) throw new RangeError(`answered ${response?.code}`);
  };
}

function connectNodeCoap(): Ask {
  const agent = new coap.Agent({ type: 'udp4' });
  return () =>
    new Promise((resolve, reject) => {
      const request = coap.request({ host: '127.0.0.1', port, method: 'GET', pathname: '/3/0/9', agent });
      request.on('response', () => resolve());
      request.on('error', reject);
      request.end();
    });
}

async function connectEcho(): Promise<Ask> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4_194_304 });
  const waiting: (() => void)[] = [];
  socket.on('message', () => waiting.shift()?.());
  await new Promise<void>((resolve) => {
    socket.bind(0, '127.0.0.1', resolve);
  });
  const data = Buffer.alloc(32);
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      socket.send(data, port, '127.0.0.1');
    });
}
