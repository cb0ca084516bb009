import type { Peer } from '@sefleet/runtime';
import type { CoapOption } from './codec/option.ts';

/** An answer to give. */
export interface CoapReply {
  /** One of `CODE`, or any other response code. */
  readonly code: number;
  /** The whole body; what does not fit one message is served blockwise (RFC 7959). Text is sent as UTF-8. */
  readonly payload?: Uint8Array | string | undefined;
  readonly contentFormat?: number | undefined;
  readonly etag?: Uint8Array | undefined;
  readonly maxAgeSeconds?: number | undefined;
  /** Of what was created: segments joined by `/`, or the segments themselves. */
  readonly locationPath?: string | readonly string[] | undefined;
  /** Further options; they are sorted in. */
  readonly options?: readonly CoapOption[] | undefined;
}

/** An answer that arrived, its body complete. */
export interface CoapResponse {
  readonly peer: Peer;
  /** The byte on the wire; `formatCode` writes it as `2.05`. */
  readonly code: number;
  /** True for 2.xx. */
  readonly success: boolean;
  /** The body, reassembled when it came blockwise. Valid for as long as it is kept. */
  readonly payload: Uint8Array;
  readonly contentFormat: number | undefined;
  readonly etag: Uint8Array | undefined;
  /** RFC 7252 §5.10.5: 60 when the response does not say. */
  readonly maxAgeSeconds: number;
  /** Location-Path of what was created, as `/rd/4711`; undefined when absent. */
  readonly locationPath: string | undefined;
  /** The sequence number of a notification; undefined in a plain response. */
  readonly observe: number | undefined;
  readonly options: readonly CoapOption[];
  /** The payload as UTF-8 text. */
  text(): string;
}
