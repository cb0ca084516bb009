import { OPTION } from '../constants.ts';
import { coapError } from '../errors.ts';
import { type CoapOption, stringOption } from './option.ts';

/**
 * In ascending order, the order of equal numbers kept (RFC 7252 §3.1); the same array when it is so already.
 */
export function sortedOptions(options: readonly CoapOption[]): readonly CoapOption[] {
  for (let i = 1; i < options.length; i++) {
    if ((options[i]?.number ?? 0) < (options[i - 1]?.number ?? 0)) {
      return options.toSorted((a, b) => a.number - b.number);
    }
  }
  return options;
}

/** `options` with `added` at its place, behind those of the same number. */
export function withOption(options: readonly CoapOption[], added: CoapOption): CoapOption[] {
  let at = options.length;
  while (at > 0 && (options[at - 1]?.number ?? 0) > added.number) at--;
  return [...options.slice(0, at), added, ...options.slice(at)];
}

/** `options` without those numbers. */
export function withoutOptions(options: readonly CoapOption[], ...numbers: readonly number[]): CoapOption[] {
  return options.filter((option) => !numbers.includes(option.number));
}

/** Adds one option for each segment of a path. */
export function pushPath(into: CoapOption[], number: number, path: string | readonly string[]): void {
  if (typeof path !== 'string') {
    for (const segment of path) into.push(textOption(number, segment));
    return;
  }
  let start = path.startsWith('/') ? 1 : 0;
  while (start < path.length) {
    let end = path.indexOf('/', start);
    if (end < 0) end = path.length;
    into.push(textOption(number, path.slice(start, end)));
    start = end + 1;
    // RFC 7252 §6.4 step 8: a path that ends with a slash has an empty last segment.
    if (start === path.length && end < path.length) into.push(textOption(number, ''));
  }
}

/** Text of up to 255 bytes, which is what the URI options hold (RFC 7252 §5.10). */
export function textOption(number: number, text: string): CoapOption {
  const option = text.length < 64 ? cachedTextOption(number, text) : stringOption(number, text);
  if (option.value.length <= 255) return option;
  throw coapError(
    'COAP_ARGUMENT_INVALID',
    `option ${number} has ${option.value.length} bytes, allowed are 255`,
  );
}

/**
 * The segments of a device's paths are few and come all the time. Bounded: beyond it, texts are encoded each
 * time.
 */
const MAX_CACHED_TEXTS = 512;
const pathTexts = new Map<string, CoapOption>();

function cachedTextOption(number: number, text: string): CoapOption {
  if (number !== OPTION.URI_PATH) return stringOption(number, text);
  const cached = pathTexts.get(text);
  if (cached !== undefined) return cached;
  const option = stringOption(number, text);
  if (pathTexts.size < MAX_CACHED_TEXTS) pathTexts.set(text, option);
  return option;
}
