import { type CoapOption, decodeUint, findOption, uintOption } from './option.ts';

/** The value of a Block1 or Block2 option (RFC 7959 §2.2). */
export interface Block {
  /** Number of the block, in units of {@link size}. */
  readonly num: number;
  readonly more: boolean;
  /** 16 to 1024 bytes. */
  readonly size: number;
  /** SZX 7: a message of a reliable transport that carries several blocks of 1024 (RFC 8323 §6). */
  readonly bert: boolean;
}

const SZX_BERT = 7;

/** The Block option with that number, or undefined when the message has none. */
export function findBlock(options: readonly CoapOption[], number: number): Block | undefined {
  const value = findOption(options, number);
  if (value === undefined) return undefined;
  const bits = decodeUint(value);
  const szx = bits & 0x07;
  return {
    num: Math.floor(bits / 16),
    more: (bits & 0x08) !== 0,
    size: szx === SZX_BERT ? 1024 : 16 << szx,
    bert: szx === SZX_BERT,
  };
}

/** A Block option; `size` is a power of two from 16 to 1024. */
export function blockOption(
  number: number,
  num: number,
  more: boolean,
  size: number,
  bert = false,
): CoapOption {
  const szx = bert ? SZX_BERT : 27 - Math.clz32(size);
  return uintOption(number, num * 16 + (more ? 8 : 0) + szx);
}

/** The largest block size that is not larger than `bytes`: a power of two from 16 to 1024. */
export function blockSizeWithin(bytes: number): number {
  let size = 1024;
  while (size > 16 && size > bytes) size /= 2;
  return size;
}

/** The highest block number that the option can hold. */
export const MAX_BLOCK_NUM = 0xfffff;
