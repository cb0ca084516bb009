import type { SefleetError } from '@sefleet/errors';
import type { Peer } from '@sefleet/runtime';
import type { ExchangeContext } from './client/client-exchange.ts';
import { draftRequest } from './client/draft.ts';
import { RequestLease } from './client/lease.ts';
import { ObservedResource } from './client/observed-resource.ts';
import { Requester } from './client/requester.ts';
import { TokenTable } from './client/token-table.ts';
import type { ClientObservation, CoapRoleOptions, NotificationListener } from './endpoint.ts';
import { methodOf } from './constants.ts';
import { badResponse, coapError } from './errors.ts';
import type { CoapLimits } from './limits.ts';
import type { IncomingMessage, MessageReceiver, MessageTransport } from './message/transport.ts';
import type { CoapRequestInit } from './request.ts';
import type { CoapResponse } from './response.ts';
import { Responder } from './server/responder.ts';
import type { TransmissionParameters } from './settings.ts';

/** Requests and responses in both directions (RFC 7252 §5), on whatever moves the messages. */
export class RequestLayer implements MessageReceiver {
  readonly #context: ExchangeContext;
  readonly #requester: Requester;
  readonly #responder: Responder;
  #closed: SefleetError | undefined;
  readonly #counters = { 'client.requests': 0, 'client.observations': 0, 'responses.unknown': 0 };

  constructor(
    transport: MessageTransport,
    parameters: TransmissionParameters,
    limits: CoapLimits,
    options: CoapRoleOptions,
  ) {
    const { runtime } = options;
    this.#context = { transport, runtime, parameters, tokens: new TokenTable(runtime) };
    this.#requester = new Requester(this.#context, limits);
    this.#responder = new Responder(transport, runtime, parameters, limits, options);
  }

  ask(peer: Peer, init: CoapRequestInit): Promise<CoapResponse> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    this.#counters['client.requests']++;
    return this.#requester.request(peer, init);
  }

  async observe(
    peer: Peer,
    init: CoapRequestInit,
    listener: NotificationListener | ((response: CoapResponse) => void),
  ): Promise<ClientObservation> {
    if (this.#closed !== undefined) throw this.#closed;
    if (init.method !== 'GET' && init.method !== 'FETCH') {
      throw coapError('COAP_ARGUMENT_INVALID', `${init.method} cannot be observed, GET and FETCH can`);
    }
    this.#counters['client.observations']++;
    // What a plain function returns says nothing.
    const told =
      typeof listener === 'function'
        ? {
            notification: (response: CoapResponse) => {
              listener(response);
            },
          }
        : listener;
    const request = this.#requester.negotiated(peer, draftRequest(init), init);
    const observed = new ObservedResource(this.#context, this.#requester, peer, request, told);
    const lease = new RequestLease(this.#context.runtime, init);
    lease.covers(observed);
    try {
      lease.check();
      return await observed.register();
    } finally {
      lease.release();
    }
  }

  request(incoming: IncomingMessage): void {
    const { peer, token, code } = incoming;
    // Tokens of ours are random: a request of no known method under one is an answer that is none.
    if (methodOf(code) === undefined)
      this.unreadable(peer, token, badResponse(peer, code, 'no code of a response'));
    this.#responder.request(incoming);
  }

  unreadable(peer: Peer, token: Uint8Array, error: SefleetError): void {
    this.#context.tokens.find(peer, token)?.failed(error);
  }

  response(incoming: IncomingMessage): boolean {
    const owner = this.#context.tokens.find(incoming.peer, incoming.token);
    if (owner !== undefined) return owner.response(incoming);
    this.#counters['responses.unknown']++;
    return false;
  }

  reset(peer: Peer, messageId: number): void {
    this.#responder.reset(peer, messageId);
  }

  peerGone(peer: Peer): void {
    this.#context.tokens.failPeer(peer, coapError('COAP_PEER_GONE', `${peer.key} is gone`));
    this.#responder.peerGone(peer);
  }

  close(error: SefleetError): void {
    this.#closed = error;
    this.#context.tokens.failAll(error);
    this.#responder.close(error);
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.#counters, ...this.#responder.counters() };
  }

  open(): Readonly<Record<string, number>> {
    return { clientExchanges: this.#context.tokens.size, ...this.#responder.open() };
  }
}
