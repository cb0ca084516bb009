import type { Peer } from '@sefleet/runtime';
import { blockOption, blockSizeWithin, findBlock } from '../codec/block.ts';
import { withOption, withoutOptions } from '../codec/option-list.ts';
import { findOption } from '../codec/option.ts';
import { CODE, OPTION } from '../constants.ts';
import type { CoapLimits } from '../limits.ts';
import type { CoapRequestInit } from '../request.ts';
import { ClientExchange, type ExchangeContext, type OutgoingRequest } from './client-exchange.ts';
import { download } from './download.ts';
import { draftRequest } from './draft.ts';
import { RequestLease } from './lease.ts';
import type { ReceivedResponse } from './received-response.ts';
import { upload } from './upload.ts';

/**
 * Makes requests out of as many messages as they need: blocks up, blocks down, an Echo to prove freshness.
 */
export class Requester {
  readonly #context: ExchangeContext;
  readonly #limits: CoapLimits;
  /** Bodies on their way in blocks, by the peer's key. */
  readonly #uploads = new Map<string, number>();
  #requestTag = 0;

  constructor(context: ExchangeContext, limits: CoapLimits) {
    this.#context = context;
    this.#limits = limits;
  }

  /** The whole response to a request. */
  async request(peer: Peer, init: CoapRequestInit): Promise<ReceivedResponse> {
    const bounded = init.signal !== undefined || init.timeoutMs !== undefined;
    const lease = bounded ? new RequestLease(this.#context.runtime, init) : undefined;
    try {
      return await this.#complete(peer, init, lease);
    } finally {
      lease?.release();
    }
  }

  /** The rest of a response whose first block is `first`, for a request that is already made. */
  async rest(
    peer: Peer,
    request: OutgoingRequest,
    first: ReceivedResponse,
    lease?: RequestLease,
  ): Promise<ReceivedResponse> {
    if (!this.hasMore(first)) return first;
    return download((message) => this.#one(peer, message, lease), request, first, this.#limits.maxBodyBytes);
  }

  /** True when a response is the first of several blocks. */
  hasMore(response: ReceivedResponse): boolean {
    const block = findBlock(response.options, OPTION.BLOCK2);
    return block !== undefined && (block.more || block.num > 0);
  }

  async #complete(
    peer: Peer,
    init: CoapRequestInit,
    lease: RequestLease | undefined,
  ): Promise<ReceivedResponse> {
    const drafted = draftRequest(init);
    const request = this.negotiated(peer, drafted, init);
    const first = await this.#whole(peer, request, init, lease);
    const echo = first.code === CODE.UNAUTHORIZED ? findOption(first.options, OPTION.ECHO) : undefined;
    if (echo === undefined) return this.rest(peer, request, first, lease);
    // RFC 9175 §2.3: the server wants to see that the request is fresh; once is enough.
    const fresh = {
      ...request,
      options: withOption(withoutOptions(request.options, OPTION.ECHO), { number: OPTION.ECHO, value: echo }),
    };
    return this.rest(peer, fresh, await this.#whole(peer, fresh, init, lease), lease);
  }

  /** Sends the request in one message, or its body in blocks. */
  async #whole(
    peer: Peer,
    request: OutgoingRequest,
    init: CoapRequestInit,
    lease: RequestLease | undefined,
  ): Promise<ReceivedResponse> {
    const blockSize = this.#blockSize(peer, init);
    if (request.payload.length <= this.#singleMax(peer, blockSize)) {
      const response = await this.#one(peer, request, lease);
      const proposed = findBlock(response.options, OPTION.BLOCK1);
      const smaller = response.code === CODE.REQUEST_ENTITY_TOO_LARGE && proposed !== undefined;
      // RFC 7959 §2.9.3: 4.13 with a Block1 option asks for the same body in blocks of that size.
      if (!smaller || request.payload.length <= proposed.size) return response;
      return this.#upload(peer, request, proposed.size, lease);
    }
    return this.#upload(peer, request, blockSize, lease);
  }

  async #upload(
    peer: Peer,
    request: OutgoingRequest,
    blockSize: number,
    lease: RequestLease | undefined,
  ): Promise<ReceivedResponse> {
    // RFC 9175 §3.3: a Request-Tag tells bodies apart that go to the same resource at the same time.
    const others = this.#uploads.get(peer.key) ?? 0;
    this.#uploads.set(peer.key, others + 1);
    try {
      const nextTag = (): number => ++this.#requestTag;
      return await upload(
        (message) => this.#one(peer, message, lease),
        request,
        blockSize,
        others > 0,
        nextTag,
      );
    } finally {
      const left = (this.#uploads.get(peer.key) ?? 1) - 1;
      if (left === 0) this.#uploads.delete(peer.key);
      else this.#uploads.set(peer.key, left);
    }
  }

  async #one(
    peer: Peer,
    request: OutgoingRequest,
    lease: RequestLease | undefined,
  ): Promise<ReceivedResponse> {
    lease?.check();
    const exchange = new ClientExchange(this.#context, peer, request);
    lease?.covers(exchange);
    return exchange.promise;
  }

  /** RFC 7959 §2.4: a client that wants small blocks says so in its first request. */
  negotiated(peer: Peer, request: OutgoingRequest, init: CoapRequestInit): OutgoingRequest {
    if (init.blockSize === undefined || findOption(request.options, OPTION.BLOCK2) !== undefined)
      return request;
    const option = blockOption(OPTION.BLOCK2, 0, false, this.#blockSize(peer, init));
    return { ...request, options: withOption(request.options, option) };
  }

  #blockSize(peer: Peer, init: CoapRequestInit): number {
    const wanted = init.blockSize ?? this.#context.parameters.blockSizeBytes;
    return blockSizeWithin(Math.min(wanted, this.#context.transport.maxBlockBytes(peer)));
  }

  /**
   * On datagrams a body above one block goes in blocks; a stream carries whatever the peer's largest message
   * holds.
   */
  #singleMax(peer: Peer, blockSize: number): number {
    const { transport } = this.#context;
    return transport.reliable ? transport.maxBlockBytes(peer) : blockSize;
  }
}
