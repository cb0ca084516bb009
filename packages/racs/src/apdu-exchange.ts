import { concatBytes } from '@sefleet/bytes';
import type { Chaining } from './command.ts';
import { FETCHES_MAX, RESPONSE_BYTES_MAX } from './limits.ts';

/** Hands one command to a card and returns its answer, status word last. */
export type Transmit = (apdu: Uint8Array) => Uint8Array | Promise<Uint8Array>;

/** What came of an exchange: the whole body with the last status word, or why there is none. */
export type ExchangeResult =
  | { readonly response: Uint8Array; readonly accepted: boolean }
  | { readonly failed: 'hardware' | 'overflow' };

/**
 * One APDU with its follow-ups: a wrong Le (6Cxx) is corrected once, on the first command only and only when
 * it is a bare header with Le; as long as the card says MORE, FETCH is sent and the pieces are joined.
 */
export async function exchangeApdu(
  transmit: Transmit,
  apdu: Uint8Array,
  chaining: Chaining,
): Promise<ExchangeResult> {
  const pieces: Uint8Array[] = [];
  let collected = 0;
  let fetches = 0;
  let command = apdu;
  for (let first = true; ; first = false) {
    const answer = await transmit(command);
    if (answer.length < 2) return { failed: 'hardware' };
    const body = answer.subarray(0, -2);
    const [sw1 = 0, sw2 = 0] = answer.subarray(-2);
    if (first && command.length === 5 && body.length === 0 && sw1 === 0x6c) {
      command = concatBytes(command.subarray(0, 4), Uint8Array.of(sw2));
      continue;
    }
    collected += body.length;
    if (collected > RESPONSE_BYTES_MAX) return { failed: 'overflow' };
    pieces.push(body);
    if (sw1 !== chaining.more?.sw1) {
      const accepted = chaining.continueOn === undefined || chaining.continueOn === sw1 * 256 + sw2;
      return { response: concatBytes(...pieces, answer.subarray(-2)), accepted };
    }
    // Pieces without a byte in them would never come to the limit above.
    if (++fetches > FETCHES_MAX) return { failed: 'overflow' };
    command = concatBytes(chaining.more.fetch, Uint8Array.of(sw2));
  }
}
