import { type Block, blockOption, findBlock, MAX_BLOCK_NUM } from '../codec/block.ts';
import { withOption, withoutOptions } from '../codec/option-list.ts';
import { encodeUint, uintOption } from '../codec/option.ts';
import { CODE, OPTION } from '../constants.ts';
import { coapError } from '../errors.ts';
import type { OutgoingRequest, SendOne } from './client-exchange.ts';
import type { ReceivedResponse } from './received-response.ts';

/** A server that loses its state again and again is given up after so many starts. */
const MAX_STARTS = 3;

/**
 * Sends a body in blocks and resolves with the response to the last of them (RFC 7959 §2.5).
 *
 * @param tagged another body is on its way to the same peer, so this one carries a Request-Tag
 */
export async function upload(
  sendOne: SendOne,
  request: OutgoingRequest,
  blockSize: number,
  tagged: boolean,
  nextTag: () => number,
): Promise<ReceivedResponse> {
  let size = blockSize;
  for (let start = 1; ; start++) {
    // A body that starts anew is told from its own remains by a tag of its own (RFC 9175 §3.3).
    const attempt = tagged || start > 1 ? withTag(request, nextTag()) : request;
    const { response, sentBytes } = await sendBlocks(sendOne, attempt, size);
    if (start === MAX_STARTS) return response;
    if (response.code === CODE.REQUEST_ENTITY_INCOMPLETE) continue;
    const proposed = findBlock(response.options, OPTION.BLOCK1);
    const tooLarge = response.code === CODE.REQUEST_ENTITY_TOO_LARGE && sentBytes <= size;
    // RFC 7959 §2.9.3: 4.13 to the first block with a smaller size in it asks to start anew with that size.
    if (!tooLarge || proposed === undefined || proposed.size >= size) return response;
    size = proposed.size;
  }
}

async function sendBlocks(
  sendOne: SendOne,
  request: OutgoingRequest,
  startSize: number,
): Promise<{ readonly response: ReceivedResponse; readonly sentBytes: number }> {
  const { payload } = request;
  let size = startSize;
  for (let offset = 0; ;) {
    const end = Math.min(offset + size, payload.length);
    const response = await sendOne(oneBlock(request, offset, end, size));
    const block = findBlock(response.options, OPTION.BLOCK1);
    const last = end === payload.length;
    if (!goesOn(response, block, last, offset / size)) return { response, sentBytes: end };
    offset = end;
    // RFC 7959 §2.5: the server may ask for smaller blocks; numbers count in the new size from then on.
    if (block !== undefined && block.size < size) size = block.size;
  }
}

function oneBlock(request: OutgoingRequest, offset: number, end: number, size: number): OutgoingRequest {
  const { payload } = request;
  const num = offset / size;
  if (num > MAX_BLOCK_NUM) {
    throw coapError(
      'COAP_ARGUMENT_INVALID',
      `a body of ${payload.length} bytes has too many blocks of ${size}`,
    );
  }
  let options = withOption(request.options, blockOption(OPTION.BLOCK1, num, end < payload.length, size));
  // RFC 7959 §4: the size is said once, so that a server can refuse a body before it is sent.
  if (offset === 0) options = withOption(options, uintOption(OPTION.SIZE1, payload.length));
  return { ...request, options, payload: payload.subarray(offset, end) };
}

/** True when the next block is to be sent; fails when the server broke the rules. */
function goesOn(response: ReceivedResponse, block: Block | undefined, last: boolean, num: number): boolean {
  const goOn = response.code === CODE.CONTINUE;
  if (goOn && last) {
    throw coapError('COAP_BLOCK_REFUSED', '2.31 Continue to the last block', { context: { num } });
  }
  if (!response.success || last) return false;
  // RFC 7959 §2.3: a server that acts on each block answers each with its final code.
  if (block === undefined) {
    if (goOn) throw coapError('COAP_BLOCK_REFUSED', '2.31 Continue without Block1', { context: { num } });
    return false;
  }
  if (block.num !== num) {
    throw coapError('COAP_BLOCK_REFUSED', `block ${block.num} acknowledged instead of ${num}`, {
      context: { num, acknowledged: block.num },
    });
  }
  return true;
}

function withTag(request: OutgoingRequest, tag: number): OutgoingRequest {
  const option = { number: OPTION.REQUEST_TAG, value: encodeUint(tag) };
  return { ...request, options: withOption(withoutOptions(request.options, OPTION.REQUEST_TAG), option) };
}
