import { concatBytes } from '@sefleet/bytes';
import { decodeResponse } from '../apdu/response-apdu.ts';
import type { Transmit } from '../secure-channel/transmit.ts';
import type { RacsApdu } from './racs-protocol.ts';

/** What an APDU line answers with, and whether the request goes on. */
export interface RacsApduOutcome {
  readonly response: Uint8Array;
  readonly goesOn: boolean;
}

/** Fetches for one command. */
const MAX_FETCHES = 256;
const WRONG_LENGTH_SW1 = 0x6c;

/**
 * Carries an APDU line out: resends with the right Le after `6Cxx`, fetches as long as SW1 is MORE and collects the data,
 * and stops the request when the final status word is not the one in CONTINUE.
 */
export async function executeRacsApdu(transmit: Transmit, command: RacsApdu): Promise<RacsApduOutcome> {
  let response = decodeResponse(await transmit(command.apdu));
  if (response.sw >> 8 === WRONG_LENGTH_SW1 && command.apdu.length === 5) {
    const again = command.apdu.slice();
    again[4] = response.sw & 0xff;
    response = decodeResponse(await transmit(again));
  }
  const parts = [response.data];
  for (let i = 0; i < MAX_FETCHES && isMore(command, response.sw) && command.fetch !== undefined; i++) {
    const fetch = concatBytes(command.fetch, Uint8Array.of(response.sw & 0xff));
    response = decodeResponse(await transmit(fetch));
    parts.push(response.data);
  }
  const { sw } = response;
  return {
    response: concatBytes(...parts, Uint8Array.of(sw >> 8, sw)),
    goesOn: command.continueOn === undefined || command.continueOn === sw,
  };
}

function isMore(command: RacsApdu, sw: number): boolean {
  return command.more !== undefined && sw >> 8 === command.more;
}
