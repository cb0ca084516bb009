import { createCoapStreamEndpoint } from '@sefleet/coap';
import type { CoapEndpoint, CoapStreamEndpoint, RequestHandler } from '@sefleet/coap';
import type { EventLog } from '@sefleet/observability';
import type { Peer, Runtime, StreamConnection, StreamListener } from '@sefleet/runtime';
import { listenStream } from '@sefleet/runtime/node';
import type { TlsFiles } from '@sefleet/service';
import { serviceError } from '../../errors.ts';
import { EVENTS } from '../../events.ts';
import type { DeviceCertificates } from './device-certificates.ts';

/** How devices are let in over TLS. */
export interface TlsListenerOptions {
  readonly runtime: Runtime;
  readonly log: EventLog;
  readonly tls: TlsFiles;
  readonly certificates: DeviceCertificates;
  readonly address: string;
  readonly port: number;
  readonly peerGone: (peer: Peer) => void;
}

/** CoAP over TLS (coaps+tcp, RFC 8323) for devices that prove themselves with their certificate. */
export class TlsListener {
  readonly #options: TlsListenerOptions;
  #coap: CoapStreamEndpoint | undefined;

  constructor(options: TlsListenerOptions) {
    this.#options = options;
  }

  /** Makes the CoAP endpoint; for a server's `listen`. */
  connect(handler: RequestHandler): CoapEndpoint {
    const { runtime, log } = this.#options;
    const coap = createCoapStreamEndpoint({
      runtime,
      handler,
      onHandlerError: (error, { method, path }) => log.emit(EVENTS.handlerFailed, { method, path, error }),
    });
    this.#coap = coap;
    return coap;
  }

  /**
   * Lets devices in.
   *
   * @throws SefleetError `LWM2M_SOCKET_BIND`
   */
  async open(): Promise<StreamListener> {
    const { address, port, tls } = this.#options;
    try {
      return await listenStream({ address, port, tls }, (connection) => this.#accept(connection));
    } catch (cause) {
      throw serviceError('LWM2M_SOCKET_BIND', `TCP ${address}:${port} cannot be taken`, {
        cause,
        hint: 'Set SEFLEET_LWM2M_PORT to another port, or SEFLEET_LWM2M_TCP to off.',
      });
    }
  }

  #accept(connection: StreamConnection): void {
    const { certificates, log, peerGone } = this.#options;
    const { identity } = connection.peer;
    const device = identity.kind === 'x509' ? certificates.deviceOf(identity.chain) : undefined;
    if (device === undefined) {
      log.count('tls.refused');
      connection.close();
      return;
    }
    log.count('tls.connections');
    this.#coap?.attach(withFarewell(connection, peerGone));
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
