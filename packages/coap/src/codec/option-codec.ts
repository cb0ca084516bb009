import { coapError } from '../errors.ts';
import type { CoapOption } from './option.ts';

const PAYLOAD_MARKER = 0xff;
const EXTEND_8 = 13;
const EXTEND_16 = 14;
const EXTEND_16_BASE = 269;
const MAX_OPTION_NUMBER = 65_535;
/** Header byte, two bytes of extended delta, two of extended length. */
const OPTION_HEADER_BYTES_MAX = 5;
/**
 * More options than any message here needs; without a bound, a datagram of zero bytes makes 65,000 objects.
 */
const MAX_OPTIONS = 256;

/**
 * Reads options up to the payload marker or the end and adds them to `into` (RFC 7252 §3.1).
 *
 * @returns where the payload starts, `data.length` when there is none, or what is wrong.
 */
export function readOptions(
  data: Uint8Array,
  start: number,
  into: CoapOption[],
): number | 'truncated' | 'option-header' | 'option-number' | 'empty-payload' {
  const end = data.length;
  let at = start;
  let number = 0;
  while (at < end) {
    const header = data[at++] ?? 0;
    if (header === PAYLOAD_MARKER) return at === end ? 'empty-payload' : at;
    let delta = header >> 4;
    let length = header & 0x0f;
    if (delta > EXTEND_16 || length > EXTEND_16) return 'option-header';
    if (delta >= EXTEND_8) {
      const wide = delta === EXTEND_16;
      delta = wide
        ? ((data[at] ?? 0) << 8) + (data[at + 1] ?? 0) + EXTEND_16_BASE
        : (data[at] ?? 0) + EXTEND_8;
      at += wide ? 2 : 1;
    }
    if (length >= EXTEND_8) {
      const wide = length === EXTEND_16;
      length = wide
        ? ((data[at] ?? 0) << 8) + (data[at + 1] ?? 0) + EXTEND_16_BASE
        : (data[at] ?? 0) + EXTEND_8;
      at += wide ? 2 : 1;
    }
    // Reads behind the end gave zeros; this sees it.
    if (at + length > end) return 'truncated';
    number += delta;
    if (number > MAX_OPTION_NUMBER || into.length === MAX_OPTIONS) return 'option-number';
    into.push({ number, value: data.subarray(at, at + length) });
    at += length;
  }
  return end;
}

/** An upper bound for the bytes that these options take. */
export function optionsSize(options: readonly CoapOption[]): number {
  let size = 0;
  for (const option of options) size += OPTION_HEADER_BYTES_MAX + option.value.length;
  return size;
}

/** Writes options, which must be in ascending order, and returns where they end. */
export function writeOptions(target: Uint8Array, start: number, options: readonly CoapOption[]): number {
  let at = start;
  let previous = 0;
  for (const { number, value } of options) {
    const delta = number - previous;
    const { length } = value;
    if (delta < 0 || number > MAX_OPTION_NUMBER || length > 0xffff + EXTEND_16_BASE) {
      throw coapError(
        'COAP_ARGUMENT_INVALID',
        `option ${number} with ${length} bytes behind option ${previous}`,
      );
    }
    target[at++] = (nibble(delta) << 4) | nibble(length);
    at = writeExtended(target, writeExtended(target, at, delta), length);
    if (length > 32) target.set(value, at);
    else for (let i = 0; i < length; i++) target[at + i] = value[i] ?? 0;
    at += length;
    previous = number;
  }
  return at;
}

function nibble(value: number): number {
  if (value < EXTEND_8) return value;
  return value < EXTEND_16_BASE ? EXTEND_8 : EXTEND_16;
}

function writeExtended(target: Uint8Array, at: number, value: number): number {
  if (value < EXTEND_8) return at;
  if (value < EXTEND_16_BASE) {
    target[at] = value - EXTEND_8;
    return at + 1;
  }
  target[at] = (value - EXTEND_16_BASE) >> 8;
  target[at + 1] = (value - EXTEND_16_BASE) & 0xff;
  return at + 2;
}
