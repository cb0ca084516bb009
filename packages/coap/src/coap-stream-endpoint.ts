import type { Peer, Runtime, StreamConnection } from '@sefleet/runtime';
import type {
  ClientObservation,
  CoapRoleOptions,
  CoapStreamEndpoint,
  NotificationListener,
} from './endpoint.ts';
import { coapError } from './errors.ts';
import { resolveLimits } from './limits.ts';
import type { CoapRequestInit } from './request.ts';
import { RequestLayer } from './request-layer.ts';
import type { CoapResponse } from './response.ts';
import { resolveParameters } from './settings.ts';
import { StreamLayer } from './stream/stream-layer.ts';

/**
 * Makes a CoAP endpoint on connections (RFC 8323): the same requests, handlers and observations as on
 * datagrams. The connections, of TCP or TLS, are made or accepted by the caller and handed over with
 * `attach`.
 *
 * @throws SefleetError `COAP_SETTING_INVALID` when a parameter lies outside of its range.
 * @example
 * const endpoint = createCoapStreamEndpoint({ runtime, handler });
 * const listener = await listenStream({ address: '127.0.0.1', port: 5683 }, (connection) => {
 *   endpoint.attach(connection);
 * });
 * const peer = endpoint.attach(await connectStream({ address: '127.0.0.1', port: 5683 }));
 * const response = await endpoint.request(peer, { method: 'GET', path: '/hello' });
 */
export function createCoapStreamEndpoint(options: CoapRoleOptions): CoapStreamEndpoint {
  return new StreamEndpoint(options);
}

class StreamEndpoint implements CoapStreamEndpoint {
  readonly #runtime: Runtime;
  readonly #responseTimeoutMs: number;
  readonly #messages: StreamLayer;
  readonly #requests: RequestLayer;

  constructor(options: CoapRoleOptions) {
    const parameters = resolveParameters(options.settings);
    const limits = resolveLimits(options.limits);
    this.#runtime = options.runtime;
    this.#responseTimeoutMs = parameters.responseTimeoutMs;
    this.#messages = new StreamLayer(limits);
    this.#requests = new RequestLayer(this.#messages, parameters, limits, options);
    this.#messages.start(this.#requests);
  }

  attach(connection: StreamConnection): Peer {
    return this.#messages.attach(connection);
  }

  release(peer: Peer): void {
    this.#messages.session(peer).release();
  }

  request(peer: Peer, request: CoapRequestInit): Promise<CoapResponse> {
    return this.#requests.ask(peer, request);
  }

  observe(
    peer: Peer,
    request: CoapRequestInit,
    listener: NotificationListener | ((response: CoapResponse) => void),
  ): Promise<ClientObservation> {
    return this.#requests.observe(peer, request, listener);
  }

  async ping(peer: Peer): Promise<void> {
    await this.#messages.session(peer).ping(this.#runtime, this.#responseTimeoutMs);
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.#messages.counters(), ...this.#requests.counters() };
  }

  open(): Readonly<Record<string, number>> {
    return { ...this.#messages.open(), ...this.#requests.open() };
  }

  close(): Promise<void> {
    this.#requests.close(coapError('COAP_CLOSED', 'the endpoint is closed'));
    this.#messages.close();
    return Promise.resolve();
  }
}
