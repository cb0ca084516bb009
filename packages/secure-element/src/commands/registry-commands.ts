import {
  aidBytes,
  decodeInstallForRegistry,
  decodePrivileges,
  LIFE_CYCLE_LOCKED,
  PRIVILEGE,
  SECURITY_DOMAIN_LIFE_CYCLE,
  STATUS_WORD,
} from '@sefleet/globalplatform';
import type { Answer } from '../applets/applet.ts';
import type { Entry, SecurityDomain } from '../card/card-state.ts';
import { orRefuse, refuse } from '../card/refusal.ts';
import { returnCardReset, takeCardReset } from '../registry/default-selected.ts';
import { checkMemory } from '../registry/memory.ts';
import { withoutServedGrant } from '../registry/record-accounts.ts';
import { ancestry, isBelow, MAX_HIERARCHY_DEPTH } from '../registry/registry.ts';
import { authorize, confirm, performingDomain } from './authorization.ts';
import { checkPrivileges } from './check-privileges.ts';
import { requireUnlockedCard } from './command-context.ts';
import type { CommandContext } from './command-context.ts';
import { coveredBy } from './load.ts';
import { readAid } from './read-aid.ts';

/**
 * INSTALL [for extradition] (GPCS 2.3.1 §9.4.1): the application's domain gives it away, the new one accepts
 * it.
 */
export function extradite(context: CommandContext): Answer {
  const { command, tx } = context;
  const fields = decodeInstallForRegistry(command.data);
  const authority = authorize(
    context,
    coveredBy(command.data, fields.token),
    fields.token,
    fields.parameters,
  );
  const target = tx.domain(readAid(fields.securityDomain));
  const application = orRefuse(tx.find(readAid(fields.application)), STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
  const from = application.parent;
  move(context, authority.domain, application, target);
  return confirm(context, authority, {
    kind: 'extradition',
    from: aidBytes(from),
    application: aidBytes(application.aid),
    to: aidBytes(target.aid),
  });
}

/** INSTALL [for registry update] (GPCS 2.3.1 §9.4.2): extradition, new privileges, or both. */
export function updateRegistry(context: CommandContext): Answer {
  const { command, tx } = context;
  const fields = decodeInstallForRegistry(command.data);
  const authority = authorize(
    context,
    coveredBy(command.data, fields.token),
    fields.token,
    fields.parameters,
  );
  const application = orRefuse(tx.find(readAid(fields.application)), STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
  if (!isBelow(tx.state, application, authority.domain.aid)) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  const from = application.parent;
  const target = fields.securityDomain.length === 0 ? undefined : tx.domain(readAid(fields.securityDomain));
  if (target !== undefined && target.aid !== from) move(context, authority.domain, application, target);
  if (fields.privileges.length > 0) changePrivileges(context, application, fields.privileges);
  return confirm(context, authority, {
    kind: 'registry-update',
    from: aidBytes(from),
    application: aidBytes(application.aid),
    to: aidBytes(target?.aid ?? from),
    privileges: fields.privileges,
  });
}

/**
 * INSTALL [for personalization] (GPCS 2.3.1 §7.3.3): STORE DATA goes to an application of the selected
 * domain, or to a
 * Security Domain below it that has not been personalised; one that has been answers to its own keys alone.
 */
export function personalize(context: CommandContext): Answer {
  const { command, tx, channel } = context;
  const domain = performingDomain(context);
  requireUnlockedCard(context);
  const target = readAid(decodeInstallForRegistry(command.data).application);
  const entry = orRefuse(tx.find(target), STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
  const own = entry.aid === domain.aid || (entry.parent === domain.aid && isOpen(entry));
  if (!own) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  channel.personalizing = entry.aid === domain.aid ? undefined : entry.aid;
  channel.storing = undefined;
  channel.agreement = undefined;
  return Uint8Array.of(0);
}

function isOpen(entry: Entry): boolean {
  return entry.kind === 'application' || entry.lifeCycle === SECURITY_DOMAIN_LIFE_CYCLE.SELECTABLE;
}

function move(
  context: CommandContext,
  domain: SecurityDomain,
  application: Entry,
  target: SecurityDomain,
): void {
  const { tx, card } = context;
  const { state } = tx;
  const issuer = state.entries[0]?.aid;
  const from = tx.domain(application.parent);
  if (application.aid === issuer || !isBelow(state, application, domain.aid)) {
    refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  }
  const given = from.aid === domain.aid || from.acceptsExtraditionAway;
  const taken = target.aid === issuer || target.acceptsExtraditionHere;
  const locked = (target.lifeCycle & LIFE_CYCLE_LOCKED) !== 0 && target.aid !== issuer;
  const circular = isBelow(state, target, application.aid);
  const deep =
    application.kind === 'security-domain' && ancestry(state, target).length + 1 >= MAX_HIERARCHY_DEPTH;
  if (!given || !taken || locked || circular || deep) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  tx.put({ ...application, parent: target.aid });
  if (application.kind === 'application') tx.put(withoutServedGrant(target, application));
  checkMemory(tx.state, card, target.aid);
}

function changePrivileges(context: CommandContext, application: Entry, bytes: Uint8Array): void {
  const { tx } = context;
  const privileges = orRefuse(decodePrivileges(bytes), STATUS_WORD.WRONG_DATA);
  const isIssuer = application.aid === tx.state.entries[0]?.aid;
  // An issuer without Authorized Management could never manage the card again.
  if (isIssuer && (privileges & PRIVILEGE.AUTHORIZED_MANAGEMENT) === 0)
    refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  checkPrivileges(tx.state, privileges, application.kind === 'security-domain', application.aid);
  const entry = orRefuse(tx.find(application.aid), STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
  const kept = entry.privileges & privileges & PRIVILEGE.CARD_RESET;
  tx.put({ ...entry, privileges: (privileges & ~PRIVILEGE.CARD_RESET) | kept });
  if ((privileges & PRIVILEGE.CARD_RESET) !== 0) takeCardReset(tx, entry.aid);
  returnCardReset(tx);
}
