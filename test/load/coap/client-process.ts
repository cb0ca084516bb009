/**
 * The client's side of a CoAP benchmark: `client-process.ts <subject> <port> <rounds> <seconds> <window>`.
 */
import { createSocket } from 'node:dgram';
import { createCoapEndpoint } from '@sefleet/coap';
import { createNodeRuntime, FfiUdpChannel, UdpChannel } from '@sefleet/runtime/node';
import coap from 'coap';
import type { ClientRound, CoapSubject } from './protocol.ts';

const [, , subjectText = '', portText = '', roundsText = '', secondsText = '', windowText = ''] =
  process.argv;
const subject = subjectText as CoapSubject; // the parent starts this file with nothing else
const port = Number(portText);
const windowSize = Number(windowText);

type Ask = () => Promise<void>;

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
  const worker = async (): Promise<void> => {
    for (let sent = performance.now(); sent < end; sent = performance.now()) {
      try {
        await ask();
        latencies.push(performance.now() - sent);
      } catch {
        failed++;
      }
    }
  };
  await Promise.all(Array.from({ length: windowSize }, worker));
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
  const Channel = which === 'sefleet ffi' ? FfiUdpChannel : UdpChannel;
  const channel = await Channel.bind({ receiveBufferBytes: 4_194_304 });
  const settings = { nstart: windowSize };
  const endpoint = createCoapEndpoint({ channel, runtime: createNodeRuntime(), settings });
  const peer = channel.peerAt('127.0.0.1', port);
  const request = { method: 'GET', path: '/3/0/9' } as const;
  return async () => {
    const response = await endpoint.request(peer, request);
    if (!response.success) throw new RangeError(`answered ${response.code}`);
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
