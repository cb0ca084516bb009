/** The server's side of a CoAP benchmark, in a process of its own: `server-process.ts <subject>`. */
import { createSocket } from 'node:dgram';
import { CODE, createCoapEndpoint } from '@sefleet/coap';
import { createDtlsEndpoint, createSoftwarePsk } from '@sefleet/dtls';
import { createNodeRuntime, FfiUdpChannel, UdpChannel } from '@sefleet/runtime/node';
import coap from 'coap';
import { type CoapSubject, PSK, PSK_IDENTITY, type ServerReport } from './protocol.ts';

const PAYLOAD = Buffer.from('{"t":21.5,"u":"Cel"}');
const RECEIVE_BUFFER_BYTES = 4_194_304;

const subject = process.argv[2] as CoapSubject; // the parent starts this file with nothing else
const extra = await start(subject);
const idle = process.cpuUsage();

process.on('message', () => {
  const { user, system } = process.cpuUsage(idle);
  const report: ServerReport = {
    cpuSeconds: (user + system) / 1e6,
    rssBytes: process.memoryUsage.rss(),
    deduplicationBytes: extra.deduplicationBytes(),
  };
  process.send?.(report);
});
process.send?.({ port: extra.port });

interface Started {
  readonly port: number;
  deduplicationBytes(): number;
}

async function start(which: CoapSubject): Promise<Started> {
  if (which === 'node-coap') return startNodeCoap();
  if (which === 'dgram echo') return startEcho();
  return which === 'sefleet coaps' ? startSecured() : startSefleet(which);
}

async function startSefleet(which: CoapSubject): Promise<Started> {
  const Channel = which === 'sefleet ffi' ? FfiUdpChannel : UdpChannel;
  const channel = await Channel.bind({ receiveBufferBytes: RECEIVE_BUFFER_BYTES });
  const reply = { code: CODE.CONTENT, payload: PAYLOAD, contentFormat: 50 };
  const endpoint = createCoapEndpoint({ channel, runtime: createNodeRuntime(), handler: () => reply });
  return {
    port: channel.localAddress().port,
    deduplicationBytes: () => endpoint.counters()['deduplication.bytes'] ?? 0,
  };
}

/** The same over DTLS with PSK and AES_128_CCM_8. */
async function startSecured(): Promise<Started> {
  const runtime = createNodeRuntime();
  const psk = createSoftwarePsk(PSK_IDENTITY, PSK);
  const channel = createDtlsEndpoint({
    channel: await UdpChannel.bind({ receiveBufferBytes: RECEIVE_BUFFER_BYTES }),
    runtime,
    server: { pskFor: (identity) => (identity === PSK_IDENTITY ? psk : undefined) },
  });
  const reply = { code: CODE.CONTENT, payload: PAYLOAD, contentFormat: 50 };
  const endpoint = createCoapEndpoint({ channel, runtime, handler: () => reply });
  return {
    port: channel.localAddress().port,
    deduplicationBytes: () => endpoint.counters()['deduplication.bytes'] ?? 0,
  };
}

async function startNodeCoap(): Promise<Started> {
  const server = coap.createServer((_request, response) => {
    response.setOption('Content-Format', 'application/json');
    response.end(PAYLOAD);
  });
  const port = 20_000 + (process.pid % 20_000);
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', () => resolve());
  });
  return { port, deduplicationBytes: () => 0 };
}

async function startEcho(): Promise<Started> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BUFFER_BYTES });
  socket.on('message', (data, from) => socket.send(data, from.port, from.address));
  await new Promise<void>((resolve) => {
    socket.bind(0, '127.0.0.1', resolve);
  });
  return { port: socket.address().port, deduplicationBytes: () => 0 };
}
