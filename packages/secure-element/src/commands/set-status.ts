import { toHex } from '@sefleet/bytes';
import { LIFE_CYCLE_LOCKED, PRIVILEGE, SET_STATUS_SCOPE, STATUS_WORD } from '@sefleet/globalplatform';
import type { Answer } from '../applets/applet.ts';
import type { Entry, SecurityDomain } from '../card/card-state.ts';
import { orRefuse, refuse } from '../card/refusal.ts';
import { cardTransition, lifeCycleChange } from '../registry/life-cycles.ts';
import { hasPrivilege, isBelow } from '../registry/registry.ts';
import { performingDomain } from './authorization.ts';
import { NO_DATA } from './command-context.ts';
import type { CommandContext } from './command-context.ts';

/** SET STATUS (GPCS 2.3.1 §11.10). */
export function setStatus(context: CommandContext): Answer {
  const { command, tx } = context;
  const domain = performingDomain(context);
  if (command.p1 === SET_STATUS_SCOPE.CARD) return setCardStatus(context, domain);
  const whole = command.p1 === SET_STATUS_SCOPE.DOMAIN_AND_ITS_APPLICATIONS;
  if (!whole && command.p1 !== SET_STATUS_SCOPE.APPLICATION) refuse(STATUS_WORD.INCORRECT_P1_P2);
  const wanted = toHex(command.data);
  const entry = orRefuse(
    tx.state.entries.find((other) => other.aid === wanted),
    STATUS_WORD.REFERENCED_DATA_NOT_FOUND,
  );
  if (entry.aid === tx.state.entries[0]?.aid) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  if (whole && entry.kind !== 'security-domain') refuse(STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
  changeLifeCycle(context, domain, entry, command.p2);
  if (!whole) return NO_DATA;
  const locking = (command.p2 & LIFE_CYCLE_LOCKED) !== 0;
  for (const other of tx.state.entries) {
    const isLocked = (other.lifeCycle & LIFE_CYCLE_LOCKED) !== 0;
    const concerned = other.aid !== entry.aid && isBelow(tx.state, other, entry.aid) && isLocked !== locking;
    if (concerned) changeLifeCycle(context, domain, other, command.p2);
  }
  return NO_DATA;
}

function setCardStatus({ command, tx }: CommandContext, domain: SecurityDomain): Answer {
  const from = tx.state.lifeCycle;
  const needed = orRefuse(cardTransition(from, command.p2), STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  const isIssuer = domain.aid === tx.state.entries[0]?.aid;
  // What needs a privilege is open to whoever has it; the rest to the issuer alone.
  const allowed = needed === 0 ? isIssuer : hasPrivilege(domain, needed);
  if (!allowed) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  tx.patch({ lifeCycle: command.p2 });
  return NO_DATA;
}

/** Locking is for those above it and for Global Lock; a domain moves only itself to PERSONALIZED. */
function changeLifeCycle(context: CommandContext, domain: SecurityDomain, entry: Entry, state: number): void {
  const { tx } = context;
  const change = orRefuse(
    lifeCycleChange(entry.kind, entry.lifeCycle, state),
    STATUS_WORD.CONDITIONS_NOT_SATISFIED,
  );
  const self = entry.aid === domain.aid;
  if (change.kind === 'move') {
    const may = self || (entry.kind === 'application' && entry.parent === domain.aid);
    if (!may) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
    tx.put({ ...entry, lifeCycle: change.state });
    return;
  }
  const above = isBelow(tx.state, entry, domain.aid) && (!self || change.kind === 'lock');
  if (!above && !hasPrivilege(domain, PRIVILEGE.GLOBAL_LOCK)) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  const lifeCycle =
    change.kind === 'lock' ? entry.lifeCycle | LIFE_CYCLE_LOCKED : entry.lifeCycle & ~LIFE_CYCLE_LOCKED;
  tx.put({ ...entry, lifeCycle });
}
