import type { SefleetError } from '@sefleet/errors';
import type { Peer } from '@sefleet/runtime';
import type { CoapOption } from '../codec/option.ts';
import type { MessageContent } from '../codec/message.ts';

/** A message that arrived, and what the layer below must know to answer it. */
export interface IncomingMessage {
  readonly peer: Peer;
  readonly code: number;
  readonly token: Uint8Array;
  readonly options: readonly CoapOption[];
  readonly payload: Uint8Array;
  readonly confirmable: boolean;
  /** Set by who takes a response: it is acknowledged when this resolves, and not at all when it rejects. */
  taken?: Promise<void> | undefined;
}

/** Told what becomes of a message that was sent. */
export interface Fate {
  /** The peer has it, and an answer may follow separately. */
  acknowledged(): void;
  /** It cannot be known to have arrived: time-out, Reset, or the conversation is over. */
  failed(error: SefleetError): void;
}

/** A message under way. */
export interface SentMessage {
  /** The id that a Reset would name; -1 where the transport has none. */
  readonly messageId: number;
  /** Stops retransmitting; its fate is not told. */
  withdraw(): void;
}

/** What the request/response layer asks of the layer that moves messages, on datagrams or on streams. */
export interface MessageTransport {
  /** True when nothing is lost and nothing needs an acknowledgement (RFC 8323 §2). */
  readonly reliable: boolean;
  /** Sends a request or a notification. */
  send(peer: Peer, content: MessageContent, confirmable: boolean, fate: Fate | undefined): SentMessage;
  /** Answers a request; `undefined` only acknowledges it (RFC 7967 §2.1). Each request is answered once. */
  respond(request: IncomingMessage, content: MessageContent | undefined): void;
  /**
   * The answer to this request takes time: the peer may be told that the request has arrived (RFC 7252
   * §5.2.2).
   */
  defer(request: IncomingMessage): void;
  /** Refuses a request without an answer (RFC 7252 §4.2, §4.3). */
  reject(request: IncomingMessage): void;
  /** The largest block of a body that a message to `peer` should carry, in bytes. */
  maxBlockBytes(peer: Peer): number;
}

/** What the layer that moves messages tells the request/response layer. */
export interface MessageReceiver {
  request(request: IncomingMessage): void;
  /** False when no request of ours has this token: the peer is told with a Reset. */
  response(response: IncomingMessage): boolean;
  /** What came with this token cannot be a response: a request of ours that waits under it has failed. */
  unreadable(peer: Peer, token: Uint8Array, error: SefleetError): void;
  /** The peer refused a message that is no longer under way: a non-confirmable notification. */
  reset(peer: Peer, messageId: number): void;
  peerGone(peer: Peer): void;
}
