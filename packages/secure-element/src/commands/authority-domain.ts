import { PRIVILEGE, STATUS_WORD } from '@sefleet/globalplatform';
import type { SecurityDomain } from '../card/card-state.ts';
import { refuse } from '../card/refusal.ts';
import { hasPrivilege } from '../registry/registry.ts';
import type { CommandContext } from './command-context.ts';

/**
 * The Controlling Authority's Security Domain: one with Global Service that was made with that capability;
 * 6985 on a card without it.
 */
export function authorityDomain({ tx }: CommandContext): SecurityDomain {
  const found = tx.state.entries.find(
    (entry) =>
      entry.kind === 'security-domain' &&
      entry.controllingAuthority &&
      hasPrivilege(entry, PRIVILEGE.GLOBAL_SERVICE),
  );
  return found?.kind === 'security-domain' ? found : refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
}
