import { LIFE_CYCLE_LOCKED, PRIVILEGE, STATUS_WORD } from '@sefleet/globalplatform';
import type { SecurityDomain } from '../card/card-state.ts';
import { refuse } from '../card/refusal.ts';
import { hasPrivilege } from '../registry/registry.ts';
import type { CommandContext } from './command-context.ts';

/**
 * The Controlling Authority's Security Domain: one with Global Service that was made with that capability;
 * 6985 on a card without it. A locked domain serves nobody (GPCS 2.3.1 §5.3.2.4).
 */
export function authorityDomain({ tx }: CommandContext): SecurityDomain {
  const found = tx.state.entries.find(
    (entry) =>
      entry.kind === 'security-domain' &&
      entry.controllingAuthority &&
      hasPrivilege(entry, PRIVILEGE.GLOBAL_SERVICE),
  );
  const serves = found?.kind === 'security-domain' && (found.lifeCycle & LIFE_CYCLE_LOCKED) === 0;
  return serves ? found : refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
}
