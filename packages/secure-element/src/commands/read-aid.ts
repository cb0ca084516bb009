import { aid, STATUS_WORD } from '@sefleet/globalplatform';
import type { Aid } from '@sefleet/globalplatform';
import { refuse } from '../card/refusal.ts';

/** An AID from a command; 6A80 when it has another length than AIDs have. */
export function readAid(bytes: Uint8Array): Aid {
  return bytes.length >= 5 && bytes.length <= 16 ? aid(bytes) : refuse(STATUS_WORD.WRONG_DATA);
}
