import type { DatagramChannel, Peer, Runtime, StreamConnection } from '@sefleet/runtime';
import type { CoapLimits } from './limits.ts';
import type { CoapRequest, CoapRequestInit, RequestHandler } from './request.ts';
import type { CoapResponse } from './response.ts';
import type { TransmissionParameters } from './settings.ts';

/** What every CoAP endpoint is made from. */
export interface CoapRoleOptions {
  readonly runtime: Runtime;
  /** Answers requests; without one every request gets 4.04. */
  readonly handler?: RequestHandler | undefined;
  readonly settings?: Partial<TransmissionParameters> | undefined;
  readonly limits?: Partial<CoapLimits> | undefined;
  /** Narrows `limits.maxBodyBytes` for one request body, by its head; called once a transfer. */
  readonly maxRequestBodyBytes?: ((request: RequestHead) => number) | undefined;
  /**
   * Critical options, beside the known ones, that the handler understands; others get 4.02 (RFC 7252 §5.4.1).
   */
  readonly criticalOptions?: readonly number[] | undefined;
  /** Told what a handler threw, after the peer got its 4.00 or 5.00. */
  readonly onHandlerError?: ((error: unknown, request: CoapRequest) => void) | undefined;
}

/** The part of a request that is known before its body is. */
export type RequestHead = Pick<CoapRequest, 'peer' | 'method' | 'path' | 'segments' | 'query' | 'options'>;

export interface CoapEndpointOptions extends CoapRoleOptions {
  /** Plain UDP, DTLS or a simulated network. The endpoint calls its `listen` and closes it. */
  readonly channel: DatagramChannel;
}

/** An observation of a peer's resource (RFC 7641 §3). */
export interface ClientObservation {
  /** The answer to the registration. */
  readonly first: CoapResponse;
  /** False when the server answered without taking us as an observer, or the observation has ended. */
  readonly active: boolean;
  /** Registers again under the same token, for a server that may have forgotten us (RFC 7641 §3.3.1). */
  refresh(): Promise<CoapResponse>;
  /**
   * Ends it: `deregister` (default) asks the server with Observe = 1 and resolves with the answer; `forget`
   * only drops it here, so that the next notification is refused with a Reset (RFC 7641 §3.6).
   */
  cancel(how?: 'deregister' | 'forget'): Promise<void>;
}

/** What an observer is told. */
export interface NotificationListener {
  /**
   * A newer state. Older and repeated ones were left out (RFC 7641 §3.4).
   *
   * @returns nothing, or when the state is safe: a confirmable notification that came in one message is
   * acknowledged then, and never when it rejects, so that the server ends the observation (RFC 7641 §4.5)
   */
  notification(response: CoapResponse): void | Promise<void>;
  /** Nothing more comes: the server ended it with an error response, or the peer is gone. */
  ended?(reason: ObservationEndReason): void;
}

export type ObservationEndReason = 'cancelled' | 'error-response' | 'peer-gone' | 'closed';

/** One CoAP endpoint: client and server towards any number of peers. */
export interface CoapEndpoint {
  /**
   * Makes a request and resolves with its answer, whatever its code; 4.xx and 5.xx are answers too.
   *
   * @throws SefleetError `COAP_TIMEOUT`, `COAP_RESET`, `COAP_PEER_GONE`, `COAP_ABORTED`, `COAP_CLOSED`,
   *   `COAP_QUEUE_FULL`, `COAP_BODY_TOO_LARGE`, `COAP_BLOCK_REFUSED`, `COAP_BODY_CHANGED`,
   * `COAP_BAD_RESPONSE`,
   *   `COAP_MESSAGE_TOO_LARGE`
   */
  request(peer: Peer, request: CoapRequestInit): Promise<CoapResponse>;
  /** Observes a resource with GET or FETCH; `listener` is told of what follows the first answer. */
  observe(
    peer: Peer,
    request: CoapRequestInit,
    listener: NotificationListener | ((response: CoapResponse) => void),
  ): Promise<ClientObservation>;
  /**
   * Resolves when the peer answers an empty confirmable message (RFC 7252 §4.3), or a Ping signal (RFC 8323
   * §5.4).
   */
  ping(peer: Peer): Promise<void>;
  /** Counters since the start, by name. */
  counters(): Readonly<Record<string, number>>;
  /**
   * Exchanges, transmissions, transfers and observations that are open: all 0 when an endpoint is at rest.
   */
  open(): Readonly<Record<string, number>>;
  /** Rejects what is under way with `COAP_CLOSED` and closes the channel. */
  close(): Promise<void>;
}

/** A CoAP endpoint on connections of TCP or TLS (RFC 8323). */
export interface CoapStreamEndpoint extends CoapEndpoint {
  /**
   * Takes over a connection, made or accepted, and sends its settings; requests go to the peer that it
   * returns.
   */
  attach(connection: StreamConnection): Peer;
  /** Says goodbye to a peer (RFC 8323 §5.5) and closes the connection; requests under way reject. */
  release(peer: Peer): void;
}
