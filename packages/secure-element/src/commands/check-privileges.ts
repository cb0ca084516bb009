import { PRIVILEGE, STATUS_WORD } from '@sefleet/globalplatform';
import type { Aid } from '@sefleet/globalplatform';
import type { CardState } from '../card/card-state.ts';
import { refuse } from '../card/refusal.ts';
import { UNIQUE_PRIVILEGES } from '../registry/registry.ts';

/** Privileges that only Security Domains have. */
const DOMAIN_ONLY =
  PRIVILEGE.DAP_VERIFICATION |
  PRIVILEGE.DELEGATED_MANAGEMENT |
  PRIVILEGE.MANDATED_DAP |
  PRIVILEGE.AUTHORIZED_MANAGEMENT |
  PRIVILEGE.TOKEN_VERIFICATION |
  PRIVILEGE.RECEIPT_GENERATION |
  PRIVILEGE.CIPHERED_LOAD_FILE;

/** GPCS 2.3.1 §6.6: which privileges go together, and which the card has only once; 6A80 otherwise. */
export function checkPrivileges(
  state: CardState,
  privileges: number,
  isDomain: boolean,
  owner: Aid | undefined,
): void {
  const has = (bits: number): boolean => (privileges & bits) !== 0;
  if (has(PRIVILEGE.SECURITY_DOMAIN) !== isDomain) refuse(STATUS_WORD.WRONG_DATA);
  if (!isDomain && has(DOMAIN_ONLY)) refuse(STATUS_WORD.WRONG_DATA);
  if (has(PRIVILEGE.AUTHORIZED_MANAGEMENT) && has(PRIVILEGE.DELEGATED_MANAGEMENT))
    refuse(STATUS_WORD.WRONG_DATA);
  // Mandated DAP verification is a kind of DAP verification.
  if (has(PRIVILEGE.MANDATED_DAP) && !has(PRIVILEGE.DAP_VERIFICATION)) refuse(STATUS_WORD.WRONG_DATA);
  const unique = privileges & UNIQUE_PRIVILEGES;
  const taken = state.entries.some((entry) => entry.aid !== owner && (entry.privileges & unique) !== 0);
  if (taken) refuse(STATUS_WORD.WRONG_DATA);
}
