import type { SefleetError } from '@sefleet/errors';
import type { Peer, Runtime, Timer } from '@sefleet/runtime';
import { checkOptions } from '../codec/option-rules.ts';
import type { CoapOption } from '../codec/option.ts';
import { coapError } from '../errors.ts';
import type { Fate, IncomingMessage, MessageTransport, SentMessage } from '../message/transport.ts';
import type { TransmissionParameters } from '../settings.ts';
import { ReceivedResponse } from './received-response.ts';
import { tokenBytes, type TokenOwner, type TokenTable } from './token-table.ts';

/** No-Response with 2.xx, 4.xx and 5.xx all unwanted (RFC 7967 §2.1). */
const NO_RESPONSE_AT_ALL = 26;

/** One request message to send. */
export interface OutgoingRequest {
  readonly code: number;
  readonly options: readonly CoapOption[];
  readonly payload: Uint8Array;
  readonly confirmable: boolean;
  readonly noResponse: number;
}

/** Sends one message of a request and resolves with the response to it. */
export type SendOne = (request: OutgoingRequest) => Promise<ReceivedResponse>;

/** What exchanges are made with. */
export interface ExchangeContext {
  readonly transport: MessageTransport;
  readonly tokens: TokenTable;
  readonly runtime: Runtime;
  readonly parameters: TransmissionParameters;
}

/** One request message and the response to it (RFC 7252 §5.2). */
export class ClientExchange implements TokenOwner, Fate {
  readonly peer: Peer;
  readonly #context: ExchangeContext;
  readonly #noResponse: number;
  readonly #resolve: (response: ReceivedResponse) => void;
  readonly #reject: (error: unknown) => void;
  readonly promise: Promise<ReceivedResponse>;
  #token: number;
  #sent: SentMessage | undefined;
  #timer: Timer | undefined;
  #settled = false;

  constructor(context: ExchangeContext, peer: Peer, request: OutgoingRequest) {
    const { promise, resolve, reject } = Promise.withResolvers<ReceivedResponse>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#context = context;
    this.peer = peer;
    this.#noResponse = request.noResponse;
    this.#token = context.tokens.add(this);
    this.#send(request);
  }

  response(response: IncomingMessage): boolean {
    const { options, unknownCritical } = checkOptions(response.options, undefined);
    if (unknownCritical !== undefined) {
      this.failed(
        coapError('COAP_BAD_RESPONSE', `critical option ${unknownCritical} in a response`, {
          context: { option: unknownCritical },
        }),
      );
      return false;
    }
    this.#settle();
    this.#resolve(new ReceivedResponse(response.peer, response.code, options, response.payload));
    return true;
  }

  acknowledged(): void {
    if (this.#noResponse === NO_RESPONSE_AT_ALL) this.#nothingComes();
    else this.#awaitResponse();
  }

  failed(error: SefleetError): void {
    if (this.#settled) return;
    this.#settle();
    this.#reject(error);
  }

  #send(request: OutgoingRequest): void {
    const { transport } = this.#context;
    const { code, options, payload } = request;
    try {
      const content = { code, token: tokenBytes(this.#token), options, payload };
      this.#sent = transport.send(this.peer, content, request.confirmable, this);
    } catch (error) {
      this.#settle();
      this.#reject(error);
      return;
    }
    if (request.confirmable && !transport.reliable) return;
    if (this.#noResponse === NO_RESPONSE_AT_ALL) this.#nothingComes();
    else this.#awaitResponse();
  }

  #awaitResponse(): void {
    this.#timer = this.#context.runtime.timers.after(this.#context.parameters.responseTimeoutMs, () => {
      // RFC 7967 §2.1: with some kinds of response unwanted, silence is one of the answers.
      if (this.#noResponse !== 0) this.#nothingComes();
      else this.failed(coapError('COAP_TIMEOUT', `${this.peer.key} sent no response`));
    });
  }

  #nothingComes(): void {
    if (this.#settled) return;
    this.#settle();
    this.#resolve(ReceivedResponse.none(this.peer));
  }

  #settle(): void {
    this.#settled = true;
    this.#context.tokens.remove(this.peer, this.#token);
    this.#timer?.cancel();
    // RFC 7252 §5.2.2: a response is as good as the acknowledgement that it overtook.
    this.#sent?.withdraw();
  }
}
