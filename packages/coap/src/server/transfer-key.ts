import type { Peer } from '@sefleet/runtime';
import { isNoCacheKey } from '../codec/option-rules.ts';
import type { CoapOption } from '../codec/option.ts';
import { OPTION } from '../constants.ts';

/** Options that say how a transfer goes, not what is transferred. */
const NOT_IN_KEY: ReadonlySet<number> = new Set([
  OPTION.OBSERVE,
  OPTION.BLOCK1,
  OPTION.BLOCK2,
  OPTION.NO_RESPONSE,
]);

/**
 * Blocks belong together when peer, method and the options of the cache key are equal (RFC 7959 §2.2, RFC
 * 9175 §3.2).
 */
export function transferKey(peer: Peer, code: number, options: readonly CoapOption[]): string {
  let key = `${peer.key}\n${code}`;
  for (const { number, value } of options) {
    if (NOT_IN_KEY.has(number) || isNoCacheKey(number)) continue;
    // The length keeps two options from being read as one.
    key += `\n${number},${value.length},`;
    for (const byte of value) key += String.fromCharCode(byte);
  }
  return key;
}
