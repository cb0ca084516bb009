import type { Peer } from '@sefleet/runtime';
import { type CoapOption, decodeText, findOption, findStrings, findUint } from '../codec/option.ts';
import { CODE, OPTION } from '../constants.ts';
import type { CoapResponse } from '../response.ts';

/** RFC 7252 §5.10.5. */
const DEFAULT_MAX_AGE_SECONDS = 60;
const EMPTY = new Uint8Array(0);

/** A response as it was received, or put together from its blocks. */
export class ReceivedResponse implements CoapResponse {
  readonly peer: Peer;
  readonly code: number;
  readonly options: readonly CoapOption[];
  readonly payload: Uint8Array;

  constructor(peer: Peer, code: number, options: readonly CoapOption[], payload: Uint8Array) {
    this.peer = peer;
    this.code = code;
    this.options = options;
    this.payload = payload;
  }

  /** What stands for the answer when none is to come (RFC 7967). */
  static none(peer: Peer): ReceivedResponse {
    return new ReceivedResponse(peer, CODE.EMPTY, [], EMPTY);
  }

  get success(): boolean {
    return this.code >> 5 === 2;
  }

  get contentFormat(): number | undefined {
    return findUint(this.options, OPTION.CONTENT_FORMAT);
  }

  get etag(): Uint8Array | undefined {
    return findOption(this.options, OPTION.ETAG);
  }

  get maxAgeSeconds(): number {
    return findUint(this.options, OPTION.MAX_AGE) ?? DEFAULT_MAX_AGE_SECONDS;
  }

  get locationPath(): string | undefined {
    const segments = findStrings(this.options, OPTION.LOCATION_PATH);
    return segments.length === 0 ? undefined : `/${segments.join('/')}`;
  }

  get observe(): number | undefined {
    return findUint(this.options, OPTION.OBSERVE);
  }

  text(): string {
    return decodeText(this.payload);
  }
}
