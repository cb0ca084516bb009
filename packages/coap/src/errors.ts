import type { Peer } from '@sefleet/runtime';
import { formatCode } from './constants.ts';
import { type Fault, isSefleetError, SefleetError, type SefleetErrorOptions } from '@sefleet/errors';

interface ErrorDefinition {
  readonly fault: Fault;
  readonly doc: string;
}

/** Every error of this package: whose fault it is and what it means. */
export const COAP_ERRORS = {
  COAP_MESSAGE_FORMAT: {
    fault: 'peer',
    doc: 'A datagram or frame is not a CoAP message: truncated, reserved bits, an impossible length.',
  },
  COAP_TIMEOUT: {
    fault: 'environment',
    doc: 'The peer did not acknowledge any of the retransmissions, or did not answer in time.',
  },
  COAP_RESET: { fault: 'peer', doc: 'The peer refused the message with a Reset.' },
  COAP_PEER_GONE: {
    fault: 'environment',
    doc: 'The conversation under the exchange ended before the answer came.',
  },
  COAP_ABORTED: { fault: 'caller', doc: 'The caller withdrew the request through its AbortSignal.' },
  COAP_CLOSED: { fault: 'caller', doc: 'The endpoint is closed.' },
  COAP_QUEUE_FULL: {
    fault: 'environment',
    doc: 'Too many messages wait for the peer; limits.maxQueuedPerPeer bounds them.',
  },
  COAP_MESSAGE_TOO_LARGE: {
    fault: 'caller',
    doc: 'Token, options and payload do not fit one message; a larger body goes blockwise.',
  },
  COAP_BODY_TOO_LARGE: {
    fault: 'peer',
    doc: 'The body that the peer serves blockwise is larger than limits.maxBodyBytes.',
  },
  COAP_BLOCK_REFUSED: {
    fault: 'peer',
    doc: 'A blockwise transfer broke its rules: wrong number, size or order of blocks, or no progress.',
  },
  COAP_BODY_CHANGED: {
    fault: 'peer',
    doc: 'The representation changed (another ETag) in every attempt to fetch it blockwise.',
  },
  COAP_BAD_RESPONSE: {
    fault: 'peer',
    doc: 'The answer is none: it has no code of a response, cannot be read, or has an unknown critical option.',
  },
  COAP_STREAM_ABORTED: { fault: 'peer', doc: 'The peer ended the connection with an Abort signal.' },
  COAP_SETTING_INVALID: { fault: 'caller', doc: 'A transmission parameter lies outside of its range.' },
  COAP_ARGUMENT_INVALID: {
    fault: 'caller',
    doc: 'A request, option or URI was asked for that CoAP cannot express.',
  },
  COAP_LINK_FORMAT: { fault: 'peer', doc: 'A link-format document does not follow the grammar of RFC 6690.' },
} as const satisfies Readonly<Record<string, ErrorDefinition>>;

export type CoapErrorCode = keyof typeof COAP_ERRORS;

/** Makes the error of the catalogue. */
export function coapError(code: CoapErrorCode, message: string, options?: SefleetErrorOptions): SefleetError {
  return new SefleetError(code, COAP_ERRORS[code].fault, message, options);
}

/** What a peer sent in place of a response. */
export function badResponse({ key }: Peer, code: number, reason: string): SefleetError {
  const message = `${key} answered with no response: ${formatCode(code)}, ${reason}`;
  return coapError('COAP_BAD_RESPONSE', message, { context: { code, reason } });
}

/**
 * True for errors that say that a message could not even be sent: the peer's queue is full, or the peer is
 * gone.
 */
export function isUnsendable(error: unknown): boolean {
  return isSefleetError(error, 'COAP_QUEUE_FULL') || isSefleetError(error, 'COAP_PEER_GONE');
}
