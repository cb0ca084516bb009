import { bytesEqual } from '@sefleet/bytes';
import { type Block, blockOption, findBlock, MAX_BLOCK_NUM } from '../codec/block.ts';
import { joinParts } from '../codec/parts.ts';
import { withOption, withoutOptions } from '../codec/option-list.ts';
import { findUint } from '../codec/option.ts';
import { METHOD, OPTION } from '../constants.ts';
import { coapError } from '../errors.ts';
import type { OutgoingRequest, SendOne } from './client-exchange.ts';
import { ReceivedResponse } from './received-response.ts';

/** A representation that changes faster than it can be fetched is given up after so many attempts. */
const MAX_STARTS = 3;
const EMPTY = new Uint8Array(0);

/** Fetches the blocks behind `first` and resolves with the response as a whole (RFC 7959 §2.4). */
export async function download(
  sendOne: SendOne,
  request: OutgoingRequest,
  first: ReceivedResponse,
  maxBytes: number,
): Promise<ReceivedResponse> {
  const follow = followUp(request);
  let start = first;
  for (let attempt = 1; attempt <= MAX_STARTS; attempt++) {
    const result = await collect(sendOne, follow, start, maxBytes);
    if (result !== 'changed') return result;
    start = await sendOne({
      ...follow,
      options: withOption(follow.options, blockOption(OPTION.BLOCK2, 0, false, 1024)),
    });
    if (!start.success || findBlock(start.options, OPTION.BLOCK2)?.more !== true) return start;
  }
  throw coapError('COAP_BODY_CHANGED', `the representation changed in each of ${MAX_STARTS} attempts`);
}

/** RFC 7959 §3.3: later blocks are asked for without the request's body, whose own transfer is over. */
function followUp(request: OutgoingRequest): OutgoingRequest {
  const dropped = [OPTION.OBSERVE, OPTION.BLOCK1, OPTION.BLOCK2, OPTION.SIZE1, OPTION.SIZE2];
  const options = withoutOptions(request.options, ...dropped);
  // The body of a FETCH selects what is fetched (RFC 8132 §2): while it fits, it goes along.
  const payload = request.code === METHOD.FETCH && request.payload.length <= 1024 ? request.payload : EMPTY;
  return { ...request, options, payload };
}

async function collect(
  sendOne: SendOne,
  follow: OutgoingRequest,
  first: ReceivedResponse,
  maxBytes: number,
): Promise<ReceivedResponse | 'changed'> {
  const announced = findUint(first.options, OPTION.SIZE2) ?? 0;
  if (announced > maxBytes) throw tooLarge(announced, maxBytes);
  const parts: Uint8Array[] = [];
  let received = 0;
  let response = first;
  for (;;) {
    const block = findBlock(response.options, OPTION.BLOCK2);
    checkBlock(block, response.payload.length, received);
    // A copy: a small payload is a view of memory that it would keep alive whole, beyond what is counted.
    parts.push(response.payload.slice());
    received += response.payload.length;
    if (received > maxBytes) throw tooLarge(received, maxBytes);
    if (!block.more) return assembled(first, parts);
    const num = received / block.size;
    if (num > MAX_BLOCK_NUM) throw tooLarge(received, maxBytes);
    response = await sendOne({
      ...follow,
      options: withOption(follow.options, blockOption(OPTION.BLOCK2, num, false, block.size, block.bert)),
    });
    if (!response.success) return response;
    if (!sameRepresentation(first, response)) return 'changed';
  }
}

/** Blocks come in order, whole but for the last, and a block that says more holds something. */
function checkBlock(block: Block | undefined, length: number, received: number): asserts block is Block {
  const fits =
    block !== undefined &&
    block.num * block.size === received &&
    (block.bert ? !block.more || (length > 0 && length % 1024 === 0) : !block.more || length === block.size);
  if (fits) return;
  throw coapError('COAP_BLOCK_REFUSED', `an unexpected block behind ${received} bytes`, {
    context: { received, num: block?.num, size: block?.size, length },
  });
}

/** RFC 7959 §2.4: blocks of one representation carry the same ETag. */
function sameRepresentation(first: ReceivedResponse, next: ReceivedResponse): boolean {
  const before = first.etag;
  const now = next.etag;
  if (before === undefined || now === undefined) return before === now;
  return bytesEqual(before, now);
}

function assembled(first: ReceivedResponse, parts: readonly Uint8Array[]): ReceivedResponse {
  const options = withoutOptions(first.options, OPTION.BLOCK2);
  return new ReceivedResponse(first.peer, first.code, options, joinParts(parts));
}

function tooLarge(bytes: number, maxBytes: number): Error {
  return coapError('COAP_BODY_TOO_LARGE', `a body of at least ${bytes} bytes, the limit is ${maxBytes}`, {
    context: { bytes, maxBytes },
    hint: 'Raise limits.maxBodyBytes when bodies of that size are expected.',
  });
}
