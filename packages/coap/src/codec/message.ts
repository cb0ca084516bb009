import { coapError } from '../errors.ts';
import type { MessageType } from '../constants.ts';
import { optionsSize, readOptions, writeOptions } from './option-codec.ts';
import type { CoapOption } from './option.ts';

/** One message of the datagram transport (RFC 7252 §3). */
export interface CoapMessage {
  readonly type: MessageType;
  readonly code: number;
  readonly messageId: number;
  /** 0 to 8 bytes. */
  readonly token: Uint8Array;
  /** In ascending order of their numbers; the order of equal numbers is kept. */
  readonly options: readonly CoapOption[];
  readonly payload: Uint8Array;
}

/** Why bytes are not a message. */
export type MessageFault =
  | 'truncated'
  | 'unknown-version'
  | 'token-length'
  | 'option-header'
  | 'option-number'
  | 'empty-payload'
  | 'empty-message'
  | 'reserved-code';

const VERSION = 1;
const HEADER_BYTES = 4;
const MAX_TOKEN_BYTES = 8;
const PAYLOAD_MARKER = 0xff;
const EMPTY = new Uint8Array(0);
const TYPES: readonly MessageType[] = [0, 1, 2, 3];

/**
 * Reads one datagram. What comes back are views of `data`: keep a copy of it for as long as the message is
 * used.
 *
 * @returns the message, or the reason why it is none: on the path of every datagram a peer's fault is a
 *   value.
 */
export function readMessage(data: Uint8Array): CoapMessage | MessageFault {
  if (data.length < HEADER_BYTES) return 'truncated';
  const first = data[0] ?? 0;
  if (first >> 6 !== VERSION) return 'unknown-version';
  const tokenLength = first & 0x0f;
  if (tokenLength > MAX_TOKEN_BYTES) return 'token-length';
  const code = data[1] ?? 0;
  const body = HEADER_BYTES + tokenLength;
  if (body > data.length) return 'truncated';
  // RFC 7252 §4.1: an Empty message is the header and nothing else.
  if (code === 0 && data.length > HEADER_BYTES) return 'empty-message';
  if (isReservedCode(code)) return 'reserved-code';
  const options: CoapOption[] = [];
  const end = body === data.length ? body : readOptions(data, body, options);
  if (typeof end === 'string') return end;
  return {
    type: TYPES[(first >> 4) & 0x03] ?? 0,
    code,
    messageId: ((data[2] ?? 0) << 8) | (data[3] ?? 0),
    token: tokenLength === 0 ? EMPTY : data.subarray(HEADER_BYTES, body),
    options,
    payload: end === data.length ? EMPTY : data.subarray(end),
  };
}

/**
 * Decodes one datagram, in an array of its own.
 *
 * @throws SefleetError `COAP_MESSAGE_FORMAT` with the {@link MessageFault} as `context.reason`.
 * @example decodeMessage(fromHex('4001 1234')).code // 0.01 GET
 */
export function decodeMessage(data: Uint8Array): CoapMessage {
  const message = readMessage(new Uint8Array(data));
  if (typeof message !== 'string') return message;
  throw coapError('COAP_MESSAGE_FORMAT', `not a CoAP message: ${message}`, {
    context: { reason: message, bytes: data.length },
  });
}

/**
 * Encodes one datagram.
 *
 * @throws SefleetError `COAP_ARGUMENT_INVALID` for a token above 8 bytes or options out of order.
 */
export function encodeMessage(message: CoapMessage): Uint8Array {
  const { token, options, payload } = message;
  const target = new Uint8Array(messageSizeMax(token, options, payload));
  return target.subarray(0, writeMessage(target, message.type, message.messageId, message));
}

/** The part of a message that does not depend on how it travels. */
export interface MessageContent {
  readonly code: number;
  readonly token: Uint8Array;
  readonly options: readonly CoapOption[];
  readonly payload: Uint8Array;
}

/** An upper bound for the size of a message with that content, in bytes. */
export function messageSizeMax(
  token: Uint8Array,
  options: readonly CoapOption[],
  payload: Uint8Array,
): number {
  return HEADER_BYTES + token.length + optionsSize(options) + 1 + payload.length;
}

/**
 * Writes a message to the start of `target`, which must have room for {@link messageSizeMax}; returns its
 * length.
 */
export function writeMessage(
  target: Uint8Array,
  type: MessageType,
  messageId: number,
  content: MessageContent,
): number {
  const { code, token, options, payload } = content;
  if (token.length > MAX_TOKEN_BYTES) {
    throw coapError(
      'COAP_ARGUMENT_INVALID',
      `a token of ${token.length} bytes, allowed are ${MAX_TOKEN_BYTES}`,
    );
  }
  target[0] = (VERSION << 6) | (type << 4) | token.length;
  target[1] = code;
  target[2] = messageId >> 8;
  target[3] = messageId & 0xff;
  copyInto(target, HEADER_BYTES, token);
  const at = writeOptions(target, HEADER_BYTES + token.length, options);
  return writePayload(target, at, payload);
}

/** Writes the marker and the payload, or nothing for an empty one (RFC 7252 §3). */
export function writePayload(target: Uint8Array, at: number, payload: Uint8Array): number {
  if (payload.length === 0) return at;
  target[at] = PAYLOAD_MARKER;
  copyInto(target, at + 1, payload);
  return at + 1 + payload.length;
}

/** Below some 30 bytes a loop is faster than the call that `set` is. */
export function copyInto(target: Uint8Array, at: number, source: Uint8Array): void {
  if (source.length > 32) target.set(source, at);
  else for (let i = 0; i < source.length; i++) target[at + i] = source[i] ?? 0;
}

/** RFC 7252 §12.1: the classes 1, 6 and 7 are reserved on this transport. */
function isReservedCode(code: number): boolean {
  const kind = code >> 5;
  return kind === 1 || kind > 5;
}
