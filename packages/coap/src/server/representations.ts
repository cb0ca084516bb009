import type { Peer, Runtime } from '@sefleet/runtime';
import { type Block, blockOption } from '../codec/block.ts';
import { Fingerprint } from '../codec/hash.ts';
import type { MessageContent } from '../codec/message.ts';
import { withOption } from '../codec/option-list.ts';
import { type CoapOption, findOption, uintOption } from '../codec/option.ts';
import { CODE, OPTION } from '../constants.ts';
import { type StoreBounds, TransferStore } from './transfer-store.ts';

/** A response too large for one message, or the part of it that an answer carries. */
export interface Representation {
  readonly code: number;
  readonly options: readonly CoapOption[];
  readonly payload: Uint8Array;
}

const EMPTY = new Uint8Array(0);

/** Large responses while their blocks are being fetched (RFC 7959 §2.4). */
export class Representations {
  readonly #store: TransferStore<Representation>;

  constructor(runtime: Runtime, bounds: StoreBounds) {
    this.#store = new TransferStore(runtime, bounds);
  }

  get size(): number {
    return this.#store.size;
  }

  get evicted(): number {
    return this.#store.evicted;
  }

  /** Keeps `whole` for the requests to come and returns its first block. */
  begin(key: string, peer: Peer, whole: Representation, size: number): Representation {
    // RFC 7959 §2.4: with an ETag the client notices when blocks are not of one representation.
    const tagged =
      findOption(whole.options, OPTION.ETAG) === undefined
        ? {
            ...whole,
            options: withOption(whole.options, { number: OPTION.ETAG, value: etagOf(whole.payload) }),
          }
        : whole;
    this.#store.put(key, peer.key, tagged, tagged.payload.length);
    return cut(tagged, 0, size, false);
  }

  /**
   * The block that a request asks for; undefined when nothing is kept for it, 4.00 when it lies behind the
   * end.
   */
  block(key: string, asked: Block, size: number): Representation | undefined {
    const whole = this.#store.use(key);
    if (whole === undefined) return undefined;
    return blockOf(whole, asked, size);
  }

  removePeer(peerKey: string): void {
    this.#store.removePeer(peerKey);
  }

  clear(): void {
    this.#store.clear();
  }
}

/**
 * The block of `whole` that was asked for, or 4.00. Observe belongs to the first block alone (RFC 7959 §3.4).
 */
export function blockOf(whole: Representation, asked: Block, size: number): Representation {
  const offset = asked.num * asked.size;
  if (offset > 0 && offset >= whole.payload.length) {
    return { code: CODE.BAD_REQUEST, options: [], payload: EMPTY };
  }
  const options = whole.options.filter((option) => option.number !== OPTION.OBSERVE);
  return cut({ ...whole, options }, offset, size, true);
}

function cut(whole: Representation, offset: number, size: number, later: boolean): Representation {
  const end = Math.min(offset + size, whole.payload.length);
  const more = end < whole.payload.length;
  let options = withOption(whole.options, blockOption(OPTION.BLOCK2, offset / size, more, size));
  if (!later) options = withOption(options, uintOption(OPTION.SIZE2, whole.payload.length));
  return { code: whole.code, options, payload: whole.payload.subarray(offset, end) };
}

/** The same bytes give the same tag; 64 bits make two bodies with one tag a matter of chance alone. */
function etagOf(payload: Uint8Array): Uint8Array {
  const fingerprint = new Fingerprint();
  fingerprint.set('', payload, payload.length, payload.length);
  const etag = new Uint8Array(8);
  const view = new DataView(etag.buffer);
  view.setUint32(0, fingerprint.a);
  view.setUint32(4, fingerprint.b);
  return etag;
}

/** A representation as the content of a message. */
export function contentOf(part: Representation, token: Uint8Array): MessageContent {
  return { code: part.code, token, options: part.options, payload: part.payload };
}
