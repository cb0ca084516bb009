import type { SefleetError } from '@sefleet/errors';
import type { Peer, Timer } from '@sefleet/runtime';
import { withOption } from '../codec/option-list.ts';
import { checkOptions } from '../codec/option-rules.ts';
import { uintOption } from '../codec/option.ts';
import { OPTION } from '../constants.ts';
import type { ClientObservation, NotificationListener, ObservationEndReason } from '../endpoint.ts';
import { coapError } from '../errors.ts';
import type { Fate, IncomingMessage, SentMessage } from '../message/transport.ts';
import type { ExchangeContext, OutgoingRequest } from './client-exchange.ts';
import { ReceivedResponse } from './received-response.ts';
import type { Requester } from './requester.ts';
import { tokenBytes, type TokenOwner } from './token-table.ts';

/** Values of the Observe option in a request (RFC 7641 §2). */
const REGISTER = 0;
const DEREGISTER = 1;
/** RFC 7641 §3.4: a notification after that silence is new whatever its number. */
const SEQUENCE_LIFETIME_MS = 128_000;
const SEQUENCE_HALF = 0x800000;

interface Awaited {
  readonly resolve: (response: ReceivedResponse) => void;
  readonly reject: (error: unknown) => void;
}

/** One observation of a peer's resource, from registration to end (RFC 7641 §3). */
export class ObservedResource implements TokenOwner, Fate, ClientObservation {
  readonly peer: Peer;
  readonly #context: ExchangeContext;
  readonly #requester: Requester;
  readonly #request: OutgoingRequest;
  readonly #listener: NotificationListener;
  readonly #token: number;
  #first: ReceivedResponse | undefined;
  #active = false;
  #deregistering = false;
  #ended = false;
  #awaited: Awaited | undefined;
  #sent: SentMessage | undefined;
  #timer: Timer | undefined;
  #sequence = 0;
  #sequenceAtMs = 0;
  /** Counts notifications, so that the blocks of an old one are not delivered behind a newer one. */
  #arrivals = 0;

  constructor(
    context: ExchangeContext,
    requester: Requester,
    peer: Peer,
    request: OutgoingRequest,
    listener: NotificationListener,
  ) {
    this.#context = context;
    this.#requester = requester;
    this.peer = peer;
    this.#request = request;
    this.#listener = listener;
    this.#token = context.tokens.add(this);
  }

  get active(): boolean {
    return this.#active;
  }

  get first(): ReceivedResponse {
    if (this.#first === undefined) throw coapError('COAP_CLOSED', 'the registration has no answer');
    return this.#first;
  }

  /** Sends the registration and resolves with its answer. */
  async register(): Promise<this> {
    this.#first = await this.#ask(REGISTER);
    return this;
  }

  refresh(): Promise<ReceivedResponse> {
    if (!this.#active) return Promise.reject(coapError('COAP_CLOSED', 'the observation has ended'));
    return this.#ask(REGISTER);
  }

  async cancel(how: 'deregister' | 'forget' = 'deregister'): Promise<void> {
    if (this.#ended) return;
    if (how === 'deregister' && this.#active) {
      this.#deregistering = true;
      this.#active = false;
      try {
        await this.#ask(DEREGISTER);
      } finally {
        this.#end('cancelled');
      }
      return;
    }
    this.#end('cancelled');
  }

  response(message: IncomingMessage): boolean {
    const { options, unknownCritical } = checkOptions(message.options, undefined);
    if (unknownCritical !== undefined) return false;
    const response = new ReceivedResponse(message.peer, message.code, options, message.payload);
    const sequence = response.observe;
    if (this.#deregistering && sequence !== undefined) {
      // A notification that crossed the deregistration is not its answer. It may have come in its
      // acknowledgement, from a server that does not know the option's value 1: then the answer never comes.
      if (this.#timer === undefined) this.#awaitResponse();
      return true;
    }
    this.#sent?.withdraw();
    this.#stopTimer();
    if (sequence === undefined || !response.success) this.#last(response);
    else if (this.#isNewer(sequence)) this.#notified(response, sequence, message);
    else this.#settleAwaited(response);
    return true;
  }

  acknowledged(): void {
    this.#awaitResponse();
  }

  failed(error: SefleetError): void {
    const awaited = this.#awaited;
    this.#awaited = undefined;
    awaited?.reject(error);
    // A refresh that got no answer leaves the observation as it was; all else ends it.
    const refreshing = this.#active && error.code === 'COAP_TIMEOUT';
    if (!refreshing) this.#end(error.code === 'COAP_CLOSED' ? 'closed' : 'peer-gone');
  }

  #ask(observe: number): Promise<ReceivedResponse> {
    const { promise, resolve, reject } = Promise.withResolvers<ReceivedResponse>();
    this.#awaited?.reject(coapError('COAP_ABORTED', 'a newer request about the observation took its place'));
    this.#sent?.withdraw();
    this.#awaited = { resolve, reject };
    this.#stopTimer();
    const { transport } = this.#context;
    const { code, payload, confirmable } = this.#request;
    const options = withOption(this.#request.options, uintOption(OPTION.OBSERVE, observe));
    try {
      const content = { code, token: tokenBytes(this.#token), options, payload };
      this.#sent = transport.send(this.peer, content, confirmable, this);
    } catch (error) {
      this.#awaited = undefined;
      reject(error);
      this.#end('closed');
      return promise;
    }
    if (!confirmable || transport.reliable) this.#awaitResponse();
    return promise;
  }

  #stopTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #awaitResponse(): void {
    this.#stopTimer();
    if (this.#awaited === undefined) return;
    const { runtime, parameters } = this.#context;
    this.#timer = runtime.timers.after(parameters.responseTimeoutMs, () =>
      this.failed(coapError('COAP_TIMEOUT', `${this.peer.key} sent no response`)),
    );
  }

  /** RFC 7641 §3.4. */
  #isNewer(sequence: number): boolean {
    const nowMs = this.#context.runtime.clock.monotonicMs();
    const ahead = (sequence - this.#sequence) & 0xffffff;
    const newer =
      !this.#active ||
      (ahead > 0 && ahead < SEQUENCE_HALF) ||
      nowMs > this.#sequenceAtMs + SEQUENCE_LIFETIME_MS;
    if (newer) {
      this.#sequence = sequence;
      this.#sequenceAtMs = nowMs;
    }
    return newer;
  }

  #notified(response: ReceivedResponse, sequence: number, message: IncomingMessage): void {
    this.#active = true;
    const arrival = ++this.#arrivals;
    if (!this.#requester.hasMore(response)) {
      message.taken = this.#deliver(response);
      return;
    }
    this.#requester.rest(this.peer, this.#request, response).then(
      (whole) => {
        // The answer to the blocks carries no number: the notification keeps its own.
        if (arrival === this.#arrivals && !this.#ended) {
          this.#deliver(withSequence(whole, sequence))?.catch(() => {});
        }
      },
      (error: unknown) => {
        if (arrival !== this.#arrivals) return;
        const awaited = this.#awaited;
        this.#awaited = undefined;
        awaited?.reject(error);
        // Without an answer to its registration nobody can cancel it.
        if (this.#first === undefined) this.#end('error-response');
      },
    );
  }

  #deliver(response: ReceivedResponse): Promise<void> | undefined {
    if (this.#settleAwaited(response)) return undefined;
    return this.#listener.notification(response) ?? undefined;
  }

  /** A response that ends the observation, or never began one. */
  #last(response: ReceivedResponse): void {
    const wasActive = this.#active;
    this.#active = false;
    const refused = this.#awaited !== undefined;
    if (!refused && wasActive) this.#listener.notification(response)?.catch(() => {});
    if (this.#requester.hasMore(response)) {
      this.#requester.rest(this.peer, this.#request, response).then(
        (whole) => this.#settleAwaited(whole),
        (error: unknown) => this.#awaited?.reject(error),
      );
    } else this.#settleAwaited(response);
    this.#end(this.#deregistering || (refused && !wasActive) ? 'cancelled' : 'error-response');
  }

  #settleAwaited(response: ReceivedResponse): boolean {
    const awaited = this.#awaited;
    this.#awaited = undefined;
    awaited?.resolve(response);
    return awaited !== undefined;
  }

  #end(reason: ObservationEndReason): void {
    if (this.#ended) return;
    this.#ended = true;
    const wasObserved = this.#active || reason !== 'cancelled';
    this.#active = false;
    this.#stopTimer();
    this.#sent?.withdraw();
    this.#context.tokens.remove(this.peer, this.#token);
    if (wasObserved && this.#first !== undefined) this.#listener.ended?.(reason);
  }
}

function withSequence(response: ReceivedResponse, sequence: number): ReceivedResponse {
  if (response.observe !== undefined) return response;
  const options = withOption(response.options, uintOption(OPTION.OBSERVE, sequence));
  return new ReceivedResponse(response.peer, response.code, options, response.payload);
}
