import type { Peer } from '@sefleet/runtime';
import type { CoapOption } from './codec/option.ts';
import type { CoapMethod } from './constants.ts';
import type { CoapReply } from './response.ts';

/** A request to make. */
export interface CoapRequestInit {
  readonly method: CoapMethod;
  /**
   * Segments joined by `/` (a leading one is ignored; nothing is percent-decoded), or the segments
   * themselves, which may then hold a `/`. Empty or left out: the root.
   */
  readonly path?: string | readonly string[] | undefined;
  /** Uri-Query options, one each (`lt=300`). */
  readonly query?: readonly string[] | undefined;
  /** The whole body; what does not fit one message goes blockwise (RFC 7959). Text is sent as UTF-8. */
  readonly payload?: Uint8Array | string | undefined;
  readonly contentFormat?: number | undefined;
  readonly accept?: number | undefined;
  /** Uri-Host, for a server that hosts more than one name. */
  readonly host?: string | undefined;
  /** Default true. On a reliable transport it makes no difference. */
  readonly confirmable?: boolean | undefined;
  /** Further options; they are sorted in. */
  readonly options?: readonly CoapOption[] | undefined;
  /**
   * No-Response bits (RFC 7967 §2.1): 2 no 2.xx, 8 no 4.xx, 16 no 5.xx. When nothing is to come, the request
   * resolves with the code 0.00 at the acknowledgement, or at once when it is non-confirmable.
   */
  readonly noResponse?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Bound on all of the request, blocks and retransmissions included, in milliseconds. */
  readonly timeoutMs?: number | undefined;
  /**
   * Largest block in bytes (16 to 1024, a power of two) for this request; default is the setting
   * `blockSizeBytes`.
   */
  readonly blockSize?: number | undefined;
}

/** A request that arrived, its body complete. */
export interface CoapRequest {
  /** Who sent it; `peer.identity` is what the channel has proven. */
  readonly peer: Peer;
  readonly method: CoapMethod;
  /** `/rd/4711`; `/` for the root. A segment that holds a `/` is only told apart in {@link segments}. */
  readonly path: string;
  readonly segments: readonly string[];
  readonly query: readonly string[];
  /** The body, reassembled when it came blockwise. Valid for as long as it is kept. */
  readonly payload: Uint8Array;
  readonly contentFormat: number | undefined;
  readonly accept: number | undefined;
  /** All options in ascending order. */
  readonly options: readonly CoapOption[];
  readonly token: Uint8Array;
  readonly confirmable: boolean;
  /** Present when a GET or FETCH asks to observe (Observe = 0); answer as usual when that is not wanted. */
  readonly observe: ObserveRequest | undefined;
  /** The first Uri-Query `name=value` as its value, `name` alone as an empty text, undefined when absent. */
  queryValue(name: string): string | undefined;
}

/** The wish to observe that a request carries (RFC 7641 §4.1). */
export interface ObserveRequest {
  /**
   * Adds the client to the observers; the reply to this request becomes the first notification. An
   * observation that the same client registered before under the same token is replaced. Undefined when
   * `limits.maxObservations` is reached: answer as to a plain request then.
   */
  accept(): ServerObservation | undefined;
}

/**
 * How a notification ended: `sent` for a non-confirmable one, `superseded` when a newer one took its place.
 */
export type NotificationOutcome = 'acknowledged' | 'sent' | 'superseded' | 'failed';

export interface NotifyOptions {
  /** Default: as the settings `notificationConfirmEvery` and `notificationConfirmMs` have it. */
  readonly confirmable?: boolean | undefined;
  /**
   * Default true: while one confirmable notification is under way, only the newest after it waits (RFC 7641
   * §4.5.2).
   * False keeps every one in order, for readings that are not each a whole state; bounded by
   * `limits.maxQueuedPerPeer`.
   */
  readonly supersede?: boolean | undefined;
  readonly settled?: ((outcome: NotificationOutcome) => void) | undefined;
}

/** Why an observation ended. */
export type ObservationEnd =
  | 'deregistered'
  | 'reset'
  | 'timeout'
  | 'replaced'
  | 'peer-gone'
  | 'ended'
  | 'closed';

/** One client that observes a resource of ours. */
export interface ServerObservation {
  readonly peer: Peer;
  readonly token: Uint8Array;
  /** False once it has ended. */
  readonly active: boolean;
  /** Sends the new state. A reply that is not 2.xx is sent and ends the observation (RFC 7641 §4.2). */
  notify(reply: CoapReply, options?: NotifyOptions): void;
  /** Forgets the observer without telling it; its next interest comes as a new registration. */
  end(): void;
  /** Called once, when the observation ends for whatever reason. */
  onEnd(listener: (reason: ObservationEnd) => void): void;
}

/** Answers requests. What it throws or rejects with becomes 4.00 (fault `peer`) or 5.00. */
export type RequestHandler = (request: CoapRequest) => CoapReply | Promise<CoapReply>;
