import { OPTION } from '../constants.ts';
import type { CoapOption } from './option.ts';

interface OptionRule {
  readonly min: number;
  readonly max: number;
  readonly repeatable: boolean;
}

/**
 * Lengths in bytes and repeatability (RFC 7252 §5.10 table 4, RFC 7641 §2, 7959 §2.1, 7967 §2, 9175 §2.2.1,
 * §3.2.1).
 */
const RULES: ReadonlyMap<number, OptionRule> = new Map([
  [OPTION.IF_MATCH, { min: 0, max: 8, repeatable: true }],
  [OPTION.URI_HOST, { min: 1, max: 255, repeatable: false }],
  [OPTION.ETAG, { min: 1, max: 8, repeatable: true }],
  [OPTION.IF_NONE_MATCH, { min: 0, max: 0, repeatable: false }],
  [OPTION.OBSERVE, { min: 0, max: 3, repeatable: false }],
  [OPTION.URI_PORT, { min: 0, max: 2, repeatable: false }],
  [OPTION.LOCATION_PATH, { min: 0, max: 255, repeatable: true }],
  [OPTION.URI_PATH, { min: 0, max: 255, repeatable: true }],
  [OPTION.CONTENT_FORMAT, { min: 0, max: 2, repeatable: false }],
  [OPTION.MAX_AGE, { min: 0, max: 4, repeatable: false }],
  [OPTION.URI_QUERY, { min: 0, max: 255, repeatable: true }],
  [OPTION.ACCEPT, { min: 0, max: 2, repeatable: false }],
  [OPTION.LOCATION_QUERY, { min: 0, max: 255, repeatable: true }],
  [OPTION.BLOCK2, { min: 0, max: 3, repeatable: false }],
  [OPTION.BLOCK1, { min: 0, max: 3, repeatable: false }],
  [OPTION.SIZE2, { min: 0, max: 4, repeatable: false }],
  [OPTION.PROXY_URI, { min: 1, max: 1034, repeatable: false }],
  [OPTION.PROXY_SCHEME, { min: 1, max: 255, repeatable: false }],
  [OPTION.SIZE1, { min: 0, max: 4, repeatable: false }],
  [OPTION.ECHO, { min: 1, max: 40, repeatable: false }],
  [OPTION.NO_RESPONSE, { min: 0, max: 1, repeatable: false }],
  [OPTION.REQUEST_TAG, { min: 0, max: 8, repeatable: true }],
]);

/**
 * What became of the options of a message: those to use, and the first critical one that is not understood.
 */
export interface CheckedOptions {
  readonly options: readonly CoapOption[];
  readonly unknownCritical: number | undefined;
}

/** Critical options have odd numbers (RFC 7252 §5.4.6). */
export function isCritical(number: number): boolean {
  return (number & 1) === 1;
}

/** Options that do not tell one representation from another (RFC 7252 §5.4.6 NoCacheKey). */
export function isNoCacheKey(number: number): boolean {
  return (number & 0x1e) === 0x1c;
}

/**
 * Applies RFC 7252 §5.4: an option with an impossible length, or repeated where that is not allowed, counts
 * as unrecognised; an unrecognised elective option is left out, a critical one is reported.
 */
export function checkOptions(
  options: readonly CoapOption[],
  understood: ReadonlySet<number> | undefined,
): CheckedOptions {
  let previous = -1;
  let kept: CoapOption[] | undefined;
  for (let i = 0; i < options.length; i++) {
    const option = options[i];
    if (option === undefined) break;
    const { number, value } = option;
    const rule = RULES.get(number);
    const usable =
      rule === undefined
        ? !isCritical(number) || understood?.has(number) === true
        : value.length >= rule.min && value.length <= rule.max && (rule.repeatable || number !== previous);
    previous = number;
    if (usable) {
      kept?.push(option);
      continue;
    }
    if (isCritical(number)) return { options, unknownCritical: number };
    // The usual message has nothing to leave out and is not copied.
    kept ??= options.slice(0, i);
  }
  return { options: kept ?? options, unknownCritical: undefined };
}
