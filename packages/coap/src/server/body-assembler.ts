import type { Runtime } from '@sefleet/runtime';
import { type Block, blockOption } from '../codec/block.ts';
import { uintOption } from '../codec/option.ts';
import { joinParts } from '../codec/parts.ts';
import { CODE, OPTION } from '../constants.ts';
import type { CoapReply } from '../response.ts';
import { type StoreBounds, TransferStore } from './transfer-store.ts';

interface PartialBody {
  readonly parts: Uint8Array[];
  received: number;
  readonly maxBytes: number;
}

/** One block of a request body. */
export interface BodyBlock {
  readonly key: string;
  readonly peerKey: string;
  readonly block: Block;
  readonly payload: Uint8Array;
  /** Size1, when the client said it. */
  readonly announcedBytes: number | undefined;
  /** The bound for the whole body; asked for with its first block. */
  readonly maxBytes: () => number;
}

/** The whole body, or what to answer to this block. */
export type BodyProgress = Uint8Array | CoapReply;

/** Puts request bodies together from their blocks, in order and from the first (RFC 7959 §2.5). */
export class BodyAssembler {
  readonly #bodies: TransferStore<PartialBody>;
  readonly #blockSize: number;

  constructor(runtime: Runtime, bounds: StoreBounds, blockSize: number) {
    this.#bodies = new TransferStore(runtime, bounds);
    this.#blockSize = blockSize;
  }

  get size(): number {
    return this.#bodies.size;
  }

  get evicted(): number {
    return this.#bodies.evicted;
  }

  receive(arrived: BodyBlock): BodyProgress {
    const { key, block, payload } = arrived;
    const { length } = payload;
    const wholeBlocks = block.bert ? length > 0 && length % 1024 === 0 : length === block.size;
    // RFC 7959 §2.2: only the last block may be shorter than its size; none may be longer.
    if ((block.more && !wholeBlocks) || (!block.bert && length > block.size)) {
      this.#bodies.remove(key);
      return { code: CODE.BAD_REQUEST };
    }
    const body = block.num === 0 ? this.#start(arrived) : this.#bodies.use(key);
    // RFC 7959 §2.9.2: a block without those before it.
    if (body === undefined || body.received !== block.num * block.size) {
      this.#bodies.remove(key);
      return { code: CODE.REQUEST_ENTITY_INCOMPLETE };
    }
    if (Math.max(body.received + length, arrived.announcedBytes ?? 0) > body.maxBytes) {
      this.#bodies.remove(key);
      // RFC 7959 §2.9.3: Size1 says how large the body may be.
      return { code: CODE.REQUEST_ENTITY_TOO_LARGE, options: [uintOption(OPTION.SIZE1, body.maxBytes)] };
    }
    // A copy: a small payload is a view of memory that it would keep alive whole, beyond what is counted.
    body.parts.push(payload.slice());
    body.received += length;
    if (block.more) return this.#continue(arrived);
    this.#bodies.remove(key);
    return joinParts(body.parts);
  }

  removePeer(peerKey: string): void {
    this.#bodies.removePeer(peerKey);
  }

  clear(): void {
    this.#bodies.clear();
  }

  #start({ key, peerKey, maxBytes }: BodyBlock): PartialBody {
    const body: PartialBody = { parts: [], received: 0, maxBytes: maxBytes() };
    this.#bodies.put(key, peerKey, body, 0);
    return body;
  }

  #continue({ key, block, payload }: BodyBlock): CoapReply {
    this.#bodies.grow(key, payload.length);
    const size = Math.min(block.size, this.#blockSize);
    const bert = block.bert && size === 1024;
    return { code: CODE.CONTINUE, options: [blockOption(OPTION.BLOCK1, block.num, true, size, bert)] };
  }
}
