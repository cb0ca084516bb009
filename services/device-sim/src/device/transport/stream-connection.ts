import { createCoapStreamEndpoint } from '@sefleet/coap';
import type { ConnectRequest, Lwm2mConnection } from '@sefleet/lwm2m-coap';
import type { Runtime, StreamConnection } from '@sefleet/runtime';
import type { StreamAddress, StreamTls } from '@sefleet/runtime/node';
import { simulationError } from '../../errors.ts';
import { sessionTlsOf } from '../account-credentials.ts';
import type { DeviceCard } from '../device-card.ts';
import { alertOf } from './tls-alerts.ts';

/** A server that takes the connection and says nothing is as good as none. */
const GREETING_TIMEOUT_MS = 10_000;

/** What connections over TCP are made from. */
export interface StreamTransportOptions {
  readonly runtime: Runtime;
  /** Opens a connection, secured when `tls` is given; rejects with the system's or OpenSSL's error. */
  openStream(place: StreamAddress, tls?: StreamTls): Promise<StreamConnection>;
  /** The card of a device. */
  cardOf(endpointName: string): DeviceCard | undefined;
  /** How long the certificates that cards issue for TLS sessions are valid. */
  readonly sessionCertificateMs: number;
  readonly streamEvents: StreamEvents;
}

/** What connections tell. */
export interface StreamEvents {
  /** A TLS handshake was finished and the server has spoken. */
  secured(): void;
  /** A connection, or its TLS handshake, came to nothing. */
  failed(secured: boolean): void;
}

/**
 * A connection of one device, over TLS with a certificate that its card issues for the session, or without
 * security, and CoAP on it (RFC 8323).
 */
export async function connectDeviceStream(
  options: StreamTransportOptions,
  request: ConnectRequest,
  place: StreamAddress,
  secured: boolean,
): Promise<Lwm2mConnection> {
  const { runtime, streamEvents, sessionCertificateMs: lifetimeMs } = options;
  const card = options.cardOf(request.endpointName);
  const tls = secured ? sessionTlsOf(request, { runtime, card, lifetimeMs }) : undefined;
  const endpoint = createCoapStreamEndpoint({ runtime, handler: request.handler });
  try {
    // The chip has just signed the session's certificate.
    await card?.whenDone(undefined);
    const { watch, greeted } = watchFor(request, runtime);
    const peer = endpoint.attach(watch(await options.openStream(place, tls)));
    const leave = await greeted;
    if (secured) streamEvents.secured();
    return {
      endpoint,
      peer,
      close: () => {
        leave();
        endpoint.release(peer);
        return endpoint.close();
      },
    };
  } catch (cause) {
    streamEvents.failed(secured);
    await endpoint.close();
    throw refused(request, cause);
  }
}

interface Watch {
  /** The connection, watched. */
  readonly watch: (connection: StreamConnection) => StreamConnection;
  /**
   * Fulfilled with the server's first bytes, its CSM (RFC 8323 §5.3): in TLS 1.3 a client is through before
   * the server has judged its certificate. The function that it gives ends the watch.
   */
  readonly greeted: Promise<() => void>;
}

function watchFor(request: ConnectRequest, { timers }: Pick<Runtime, 'timers'>): Watch {
  const greeting = Promise.withResolvers<() => void>();
  greeting.promise.catch(() => undefined);
  let state: 'greeting' | 'open' | 'left' = 'greeting';
  const leave = (): void => {
    state = 'left';
  };
  const timer = timers.after(GREETING_TIMEOUT_MS, () => greeting.reject(new RangeError('it says nothing')));
  const heard = (): void => {
    if (state !== 'greeting') return;
    state = 'open';
    timer.cancel();
    greeting.resolve(leave);
  };
  const closed = (error: Error | undefined): void => {
    timer.cancel();
    if (state === 'open') request.lost(error === undefined ? 'closed' : 'broken');
    greeting.reject(error ?? new RangeError('it was closed'));
  };
  const watch = (connection: StreamConnection): StreamConnection => ({
    ...connection,
    listen: (handlers) =>
      connection.listen({
        data: (data) => {
          heard();
          handlers.data(data);
        },
        closed: (error) => {
          handlers.closed(error);
          closed(error);
        },
      }),
  });
  return { watch, greeted: greeting.promise };
}

function refused({ account: { uri } }: ConnectRequest, cause: unknown): Error {
  const alert = alertOf(cause);
  const why = cause instanceof Error ? cause.message : 'no reason';
  return simulationError('SIM_CONNECTION_REFUSED', `no connection with ${uri}: ${why}`, {
    cause,
    context: { uri, ...(alert === undefined ? {} : { alert }) },
  });
}
