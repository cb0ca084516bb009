import type { SefleetError } from '@sefleet/errors';
import type { Peer } from '@sefleet/runtime';
import type {
  ClientObservation,
  CoapEndpoint,
  CoapEndpointOptions,
  NotificationListener,
} from './endpoint.ts';
import { coapError } from './errors.ts';
import { resolveLimits } from './limits.ts';
import { MessageLayer } from './message/message-layer.ts';
import type { CoapRequestInit } from './request.ts';
import { RequestLayer } from './request-layer.ts';
import type { CoapResponse } from './response.ts';
import { resolveParameters } from './settings.ts';

/**
 * Makes a CoAP endpoint on a channel of datagrams (RFC 7252): client and server towards any number of peers.
 *
 * @throws SefleetError `COAP_SETTING_INVALID` when a transmission parameter lies outside of its range.
 * @example
 * const server = createCoapEndpoint({
 *   channel: await UdpChannel.bind({ port: 5683 }),
 *   runtime,
 *   handler: (request) => ({ code: CODE.CONTENT, payload: `you asked for ${request.path}` }),
 * });
 * const channel = await UdpChannel.bind();
 * const client = createCoapEndpoint({ channel, runtime });
 * const peer = channel.peerAt('127.0.0.1', 5683);
 * const response = await client.request(peer, { method: 'GET', path: '/hello' });
 */
export function createCoapEndpoint(options: CoapEndpointOptions): CoapEndpoint {
  return new DatagramEndpoint(options);
}

class DatagramEndpoint implements CoapEndpoint {
  readonly #options: CoapEndpointOptions;
  readonly #messages: MessageLayer;
  readonly #requests: RequestLayer;
  #closed: SefleetError | undefined;

  constructor(options: CoapEndpointOptions) {
    const parameters = resolveParameters(options.settings);
    const limits = resolveLimits(options.limits);
    this.#options = options;
    this.#messages = new MessageLayer(options.channel, options.runtime, parameters, limits);
    this.#requests = new RequestLayer(this.#messages, parameters, limits, options);
    this.#messages.start(this.#requests);
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
    if (this.#closed !== undefined) throw this.#closed;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#messages.ping(peer, {
      // RFC 7252 §4.3: the Reset is the answer.
      acknowledged: resolve,
      failed: (error) => (error.code === 'COAP_RESET' ? resolve() : reject(error)),
    });
    await promise;
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.#messages.counters(), ...this.#requests.counters() };
  }

  open(): Readonly<Record<string, number>> {
    return { ...this.#messages.open(), ...this.#requests.open() };
  }

  async close(): Promise<void> {
    if (this.#closed !== undefined) return;
    this.#closed = coapError('COAP_CLOSED', 'the endpoint is closed');
    this.#requests.close(this.#closed);
    this.#messages.close(this.#closed);
    await this.#options.channel.close();
  }
}
