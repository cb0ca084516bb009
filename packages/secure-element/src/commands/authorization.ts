import { PRIVILEGE, STATUS_WORD } from '@sefleet/globalplatform';
import type { Aid } from '@sefleet/globalplatform';
import type { Entry, LoadFileEntry, SecurityDomain } from '../card/card-state.ts';
import { refuse } from '../card/refusal.ts';
import { hasPrivilege, isBelow } from '../registry/registry.ts';
import { requireSession, selectedDomain } from './command-context.ts';
import type { CommandContext } from './command-context.ts';

/** The Security Domain that performs a card content management command, authenticated with its own keys or inherited. */
export function performingDomain(context: CommandContext): SecurityDomain {
  requireSession(context);
  return selectedDomain(context);
}

/** Ends the command with 6985 unless `domain` may manage content on its own authority (GPCS 2.3.1 §9.1.3). */
export function requireAuthorizedManagement(domain: SecurityDomain): void {
  if (!hasPrivilege(domain, PRIVILEGE.AUTHORIZED_MANAGEMENT)) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
}

/** Ends the command with 6985 unless `target` is in the hierarchy of `domain`, or `domain` has `global`. */
export function requireReach(
  context: CommandContext,
  domain: SecurityDomain,
  target: Entry | LoadFileEntry,
  global: number,
): void {
  const { state } = context.tx;
  const issuer = state.entries[0]?.aid;
  if (hasPrivilege(domain, global) || domain.aid === issuer) return;
  if (!isBelow(state, target, domain.aid)) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
}

/** Ends the command with 6985 while `target` is selected on any logical channel but this one. */
export function requireNotSelected(context: CommandContext, target: Aid): void {
  for (const channel of context.card.channels.values()) {
    if (channel.selected === target) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  }
}
