import type { TestContext } from 'node:test';
import {
  CODE,
  type CoapEndpoint,
  type CoapRouter,
  createCoapEndpoint,
  createCoapStreamEndpoint,
  createRouter,
  type ServerObservation,
} from '@sefleet/coap';
import { createNodeRuntime, listenStream, type StreamTls, UdpChannel } from '@sefleet/runtime/node';

/** Retransmissions come quickly, so that a lossy path costs a test little time. */
const SETTINGS = { ackTimeoutMs: 200, ackRandomFactor: 1.2, maxRetransmit: 8, separateAfterMs: 50 };

/** 3,000 bytes that differ in each block. */
export const LARGE = Array.from({ length: 300 }, (_, i) => `line ${String(i).padStart(4, '0')}`).join('\n');

/**
 * Resources that programs from elsewhere exercise.
 *
 * @param whenAcknowledged waits until a request whose answer takes time was acknowledged, so that the answer
 *   comes in a message of its own
 */
function resources(t: TestContext, whenAcknowledged: () => Promise<void>): CoapRouter {
  const stored = new Map<string, Uint8Array>();
  const observers = new Set<ServerObservation>();
  let ticks = 0;
  const clock = setInterval(() => {
    ticks++;
    for (const observer of observers) {
      if (observer.active)
        observer.notify({ code: CODE.CONTENT, payload: `tick ${ticks}`, maxAgeSeconds: 2 });
      else observers.delete(observer);
    }
  }, 100);
  t.after(() => clearInterval(clock));
  const attributes = [{ name: 'rt', value: 'example' }, { name: 'obs' }];
  return createRouter()
    .on('GET', '/hello', () => ({ code: CODE.CONTENT, payload: 'hello from sefleet', contentFormat: 0 }))
    .on('GET', '/large', () => ({ code: CODE.CONTENT, payload: LARGE, contentFormat: 0 }))
    .on('GET', '/slow', async () => {
      await whenAcknowledged();
      return { code: CODE.CONTENT, payload: 'slow but sure' };
    })
    .on(
      'GET',
      '/ticks',
      (request) => {
        const observer = request.observe?.accept();
        if (observer !== undefined) observers.add(observer);
        return { code: CODE.CONTENT, payload: `tick ${ticks}`, maxAgeSeconds: 2 };
      },
      { attributes },
    )
    .on('PUT', '/store', (request) => {
      stored.set('store', request.payload);
      return { code: CODE.CHANGED };
    })
    .on('GET', '/store', () => ({ code: CODE.CONTENT, payload: stored.get('store') }))
    .on('POST', '/count', (request) => ({ code: CODE.CHANGED, payload: String(request.payload.length) }))
    .on('FETCH', '/select', (request) => ({ code: CODE.CONTENT, payload: request.payload }))
    .on('DELETE', '/store', () => ({ code: stored.delete('store') ? CODE.DELETED : CODE.NOT_FOUND }));
}

/** A server of ours on UDP. */
export async function startOurServer(
  t: TestContext,
): Promise<{ readonly port: number; readonly endpoint: CoapEndpoint }> {
  const runtime = createNodeRuntime();
  const channel = await UdpChannel.bind();
  const sent = (): number => endpoint.counters()['messages.sent'] ?? 0;
  const whenAcknowledged = async (): Promise<void> => {
    const before = sent();
    while (sent() === before) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  const { handler } = resources(t, whenAcknowledged);
  const endpoint: CoapEndpoint = createCoapEndpoint({ channel, runtime, handler, settings: SETTINGS });
  t.after(async () => {
    await endpoint.close();
    runtime.close();
  });
  return { port: channel.localAddress().port, endpoint };
}

/** A server of ours on TCP, or on TLS. */
export async function startOurStreamServer(t: TestContext, tls?: StreamTls): Promise<number> {
  const runtime = createNodeRuntime();
  // A stream has no acknowledgements: every answer is a message of its own (RFC 8323 §2.2).
  const { handler } = resources(t, () => Promise.resolve());
  const endpoint = createCoapStreamEndpoint({ runtime, handler });
  const accept = endpoint.attach.bind(endpoint);
  const listener = await listenStream({ address: '127.0.0.1', port: 0, ...(tls && { tls }) }, accept);
  t.after(async () => {
    await endpoint.close();
    await listener.close();
    runtime.close();
  });
  return listener.localAddress().port;
}

/** A client of ours on UDP, and the peer at `port`. */
export async function startOurClient(t: TestContext, port: number) {
  const runtime = createNodeRuntime();
  const channel = await UdpChannel.bind();
  const endpoint = createCoapEndpoint({ channel, runtime, settings: SETTINGS });
  t.after(async () => {
    await endpoint.close();
    runtime.close();
  });
  return { endpoint, peer: channel.peerAt('127.0.0.1', port) };
}
