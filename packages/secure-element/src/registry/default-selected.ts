import { CARD_LIFE_CYCLE, LIFE_CYCLE_LOCKED, PRIVILEGE, STATUS_WORD } from '@sefleet/globalplatform';
import type { Aid } from '@sefleet/globalplatform';
import type { CardState, Entry } from '../card/card-state.ts';
import { orRefuse, refuse } from '../card/refusal.ts';
import type { Transaction } from '../card/transaction.ts';
import { hasPrivilege } from './registry.ts';

/**
 * What is selected after a reset and on a new logical channel: the application with Card Reset, or the
 * issuer while that one cannot be selected (GPCS 2.3.1 §6.4.1).
 */
export function implicitlySelected(state: CardState): Aid | undefined {
  const [issuer] = state.entries;
  const chosen = holder(state);
  const isOpen =
    state.lifeCycle !== CARD_LIFE_CYCLE.CARD_LOCKED && state.lifeCycle !== CARD_LIFE_CYCLE.TERMINATED;
  const isSelectable =
    chosen !== undefined &&
    (chosen.lifeCycle & LIFE_CYCLE_LOCKED) === 0 &&
    (chosen.lifeCycle & 0x07) === 0x07;
  return isOpen && isSelectable ? chosen.aid : issuer?.aid;
}

/**
 * Gives Card Reset to `to`, which the issuer hands over and nobody else does (GPCS 2.3.1 §6.6.2): 6A80 while
 * another application has it.
 */
export function takeCardReset(tx: Transaction, to: Aid): void {
  const issuer = orRefuse(tx.state.entries[0], STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  const present = holder(tx.state);
  if (present !== undefined && present.aid !== issuer.aid && present.aid !== to)
    refuse(STATUS_WORD.WRONG_DATA);
  if (present !== undefined && present.aid !== to) setCardReset(tx, present, false);
  const entry = tx.find(to);
  if (entry !== undefined) setCardReset(tx, entry, true);
}

/** Card Reset goes back to the issuer when nobody has it any more. */
export function returnCardReset(tx: Transaction): void {
  const [issuer] = tx.state.entries;
  if (issuer !== undefined && holder(tx.state) === undefined) setCardReset(tx, issuer, true);
}

function setCardReset(tx: Transaction, entry: Entry, has: boolean): void {
  if (hasPrivilege(entry, PRIVILEGE.CARD_RESET) === has) return;
  tx.put({ ...entry, privileges: entry.privileges ^ PRIVILEGE.CARD_RESET });
}

function holder(state: CardState): Entry | undefined {
  return state.entries.find((entry) => hasPrivilege(entry, PRIVILEGE.CARD_RESET));
}
