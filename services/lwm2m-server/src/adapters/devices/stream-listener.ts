import { createCoapStreamEndpoint } from '@sefleet/coap';
import type { CoapEndpoint, CoapStreamEndpoint, RequestHandler } from '@sefleet/coap';
import type { EventLog } from '@sefleet/observability';
import type { Peer, Runtime, StreamConnection, StreamListener } from '@sefleet/runtime';
import { listenStream } from '@sefleet/runtime/node';
import { serviceError } from '../../errors.ts';
import { EVENTS } from '../../events.ts';
import { openTlsDoor } from './tls-door.ts';
import type { TlsDoorOptions } from './tls-door.ts';

/** Where and for whom a {@link StreamListener} listens. */
export interface StreamListenerOptions {
  readonly runtime: Runtime;
  readonly log: EventLog;
  readonly address: string;
  readonly port: number;
  /** The setting that gave the port, for the error when it is taken. */
  readonly portSetting: string;
  /** How TLS lets devices in; undefined: plain TCP. */
  readonly secured: Pick<TlsDoorOptions, 'tls' | 'secretFor' | 'checkChain'> | undefined;
  /** Told when a connection is over. */
  readonly peerGone: (peer: Peer) => void;
}

/**
 * CoAP over TCP or TLS (RFC 8323).
 *
 * @param listen a server's `listen`
 * @returns what closes the socket
 * @throws SefleetError `LWM2M_SOCKET_BIND`
 */
export async function openStreamListener(
  options: StreamListenerOptions,
  listen: (connect: (handler: RequestHandler) => CoapEndpoint) => CoapEndpoint,
): Promise<StreamListener> {
  const { runtime, log, address, port, portSetting, secured, peerGone } = options;
  let coap: CoapStreamEndpoint | undefined;
  listen((handler) => {
    coap = createCoapStreamEndpoint({
      runtime,
      handler,
      onHandlerError: (error, { method, path }) => log.emit(EVENTS.handlerFailed, { method, path, error }),
    });
    return coap;
  });
  const name = secured === undefined ? 'tcp' : 'tls';
  const accept = (connection: StreamConnection): void => {
    log.count(`${name}.connections`);
    coap?.attach(withFarewell(connection, peerGone));
  };
  const refused = (reason: string): void => {
    log.count('tls.refused');
    log.count(`tls.refused.${reason}`);
  };
  try {
    return secured === undefined
      ? await listenStream({ address, port }, accept)
      : await openTlsDoor({ ...secured, address, port, accept, refused });
  } catch (cause) {
    throw serviceError('LWM2M_SOCKET_BIND', `TCP ${address}:${port} cannot be taken`, {
      cause,
      hint: `Set ${portSetting} to another port, or SEFLEET_LWM2M_TCP to off.`,
    });
  }
}

function withFarewell(connection: StreamConnection, peerGone: (peer: Peer) => void): StreamConnection {
  return {
    ...connection,
    listen: (handlers) =>
      connection.listen({
        data: (data) => handlers.data(data),
        closed: (error) => {
          handlers.closed(error);
          peerGone(connection.peer);
        },
      }),
  };
}
