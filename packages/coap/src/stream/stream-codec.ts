import { type MessageContent, writePayload, copyInto } from '../codec/message.ts';
import { optionsSize, readOptions, writeOptions } from '../codec/option-codec.ts';
import type { CoapOption } from '../codec/option.ts';
import { coapError } from '../errors.ts';

const MAX_TOKEN_BYTES = 8;
/** First byte, extended length of up to four bytes, code. */
const FRAME_HEADER_BYTES_MAX = 6;
const EXTEND_8 = 13;
const EXTEND_16 = 14;
const EXTEND_32 = 15;
const BASE_8 = 13;
const BASE_16 = 269;
const BASE_32 = 65_805;
const EMPTY = new Uint8Array(0);

/** Why bytes of a stream are not a message. */
export type StreamFault =
  | 'token-length'
  | 'too-long'
  | 'option-header'
  | 'option-number'
  | 'truncated'
  | 'empty-payload';

/** Encodes a message of a reliable transport (RFC 8323 §3.2). */
export function encodeStreamMessage(content: MessageContent): Uint8Array {
  const { code, token, options, payload } = content;
  if (token.length > MAX_TOKEN_BYTES) {
    throw coapError(
      'COAP_ARGUMENT_INVALID',
      `a token of ${token.length} bytes, allowed are ${MAX_TOKEN_BYTES}`,
    );
  }
  const body = new Uint8Array(optionsSize(options) + 1 + payload.length);
  const length = writePayload(body, writeOptions(body, 0, options), payload);
  const frame = new Uint8Array(FRAME_HEADER_BYTES_MAX + token.length + length);
  let at = writeLength(frame, length, token.length);
  frame[at++] = code;
  copyInto(frame, at, token);
  frame.set(body.subarray(0, length), at + token.length);
  return frame.subarray(0, at + token.length + length);
}

/** Cuts a stream of bytes into messages; holds at most one message that is not complete. */
export class StreamMessageReader {
  readonly #maxBytes: number;
  #pending: Uint8Array = EMPTY;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Adds bytes and gives each message that they complete to `take`; they are views of memory that is not used
   * again.
   *
   * @returns what is wrong, after which the stream cannot be read any further.
   */
  push(data: Uint8Array, take: (message: MessageContent) => void): StreamFault | undefined {
    const bytes = new Uint8Array(this.#pending.length + data.length);
    bytes.set(this.#pending);
    bytes.set(data, this.#pending.length);
    let at = 0;
    while (at < bytes.length) {
      const frame = frameAt(bytes, at);
      if (frame === undefined) break;
      if (frame.tokenLength > MAX_TOKEN_BYTES) return 'token-length';
      if (frame.end - at > this.#maxBytes) return 'too-long';
      if (frame.end > bytes.length) break;
      const message = readFrame(bytes, frame);
      if (typeof message === 'string') return message;
      take(message);
      at = frame.end;
    }
    this.#pending = bytes.subarray(at);
    return undefined;
  }
}

interface Frame {
  readonly codeAt: number;
  readonly tokenLength: number;
  readonly end: number;
}

/** Where the frame that starts at `at` ends; undefined while its header is not complete. */
function frameAt(bytes: Uint8Array, at: number): Frame | undefined {
  const first = bytes[at] ?? 0;
  const nibble = first >> 4;
  const extra = nibble < EXTEND_8 ? 0 : nibble === EXTEND_8 ? 1 : nibble === EXTEND_16 ? 2 : 4;
  const codeAt = at + 1 + extra;
  if (codeAt >= bytes.length) return undefined;
  let extended = 0;
  for (let i = 0; i < extra; i++) extended = extended * 256 + (bytes[at + 1 + i] ?? 0);
  const base =
    nibble < EXTEND_8 ? nibble : nibble === EXTEND_8 ? BASE_8 : nibble === EXTEND_16 ? BASE_16 : BASE_32;
  const tokenLength = first & 0x0f;
  return { codeAt, tokenLength, end: codeAt + 1 + tokenLength + base + extended };
}

function readFrame(bytes: Uint8Array, { codeAt, tokenLength, end }: Frame): MessageContent | StreamFault {
  const tokenAt = codeAt + 1;
  const body = bytes.subarray(tokenAt + tokenLength, end);
  const options: CoapOption[] = [];
  const payloadAt = readOptions(body, 0, options);
  if (typeof payloadAt === 'string') return payloadAt;
  return {
    code: bytes[codeAt] ?? 0,
    token: bytes.subarray(tokenAt, tokenAt + tokenLength),
    options,
    payload: body.subarray(payloadAt),
  };
}

function writeLength(frame: Uint8Array, length: number, tokenLength: number): number {
  if (length < BASE_8) {
    frame[0] = (length << 4) | tokenLength;
    return 1;
  }
  const [nibble, extra, base] =
    length < BASE_16
      ? [EXTEND_8, 1, BASE_8]
      : length < BASE_32
        ? [EXTEND_16, 2, BASE_16]
        : [EXTEND_32, 4, BASE_32];
  frame[0] = (nibble << 4) | tokenLength;
  for (let i = extra, rest = length - base; i > 0; i--, rest = Math.floor(rest / 256)) frame[i] = rest & 0xff;
  return 1 + extra;
}
