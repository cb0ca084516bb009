import {
  aidBytes,
  decodeTlvs,
  DELETE_RELATED,
  findTlv,
  PRIVILEGE,
  SECURITY_DOMAIN_LIFE_CYCLE,
  splitDeleteToken,
  STATUS_WORD,
} from '@sefleet/globalplatform';
import type { Aid } from '@sefleet/globalplatform';
import type { Answer } from '../applets/applet.ts';
import type { Entry, LoadFileEntry, SecurityDomain } from '../card/card-state.ts';
import { refuse } from '../card/refusal.ts';
import { returnCardReset } from '../registry/default-selected.ts';
import { allLoadFiles, hasPrivilege, isBelow } from '../registry/registry.ts';
import { authorize, confirm, requireNotSelected, requireReach } from './authorization.ts';
import type { CommandContext } from './command-context.ts';
import { deleteKeys } from './put-key.ts';
import { readAid } from './read-aid.ts';

/**
 * DELETE (GPCS 2.3.1 §11.2): keys, an application or Security Domain, a load file alone or with what came
 * from it.
 */
export function deleteObject(context: CommandContext): Answer {
  const { command, tx, card } = context;
  const objects = decodeTlvs(command.data);
  const named = findTlv(objects, 0x4f);
  if (command.p1 !== 0 || (command.p2 & ~DELETE_RELATED) !== 0) refuse(STATUS_WORD.INCORRECT_P1_P2);
  if (named === undefined) return deleteKeys(context);
  const { covered, token } = splitDeleteToken(command.data);
  const authority = authorize(context, covered, token, covered);
  const target = readAid(named);
  const related = command.p2 === DELETE_RELATED;
  const entry = tx.find(target);
  const file = allLoadFiles(tx.state, card.profile).find((other) => other.aid === target);
  const found = entry ?? file ?? refuse(STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
  requireReach(context, authority.domain, found, PRIVILEGE.GLOBAL_DELETE);
  if (entry === undefined) deleteLoadFile(context, target, related, authority.domain);
  else deleteEntry(context, entry, related, hasPrivilege(authority.domain, PRIVILEGE.GLOBAL_DELETE));
  returnCardReset(tx);
  return confirm(context, authority, { kind: 'delete', object: aidBytes(target) });
}

function deleteEntry(context: CommandContext, entry: Entry, related: boolean, global: boolean): void {
  const { tx } = context;
  if (entry.aid === tx.state.entries[0]?.aid) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  const personalized = entry.lifeCycle === SECURITY_DOMAIN_LIFE_CYCLE.PERSONALIZED;
  if (entry.kind === 'security-domain' && personalized && !entry.acceptsDeletion && !global) {
    refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  }
  const below = belongings(context, entry);
  if (below.length > 0 && !related) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  for (const doomed of [...below.filter(isEntry), entry]) {
    requireNotSelected(context, doomed.aid);
    tx.remove(doomed.aid);
  }
  const kept = tx.state.loadFiles.filter((file) => !below.includes(file));
  if (kept.length !== tx.state.loadFiles.length) tx.patch({ loadFiles: kept });
}

/**
 * What was made from a load file may belong to others by now: who may delete the file alone takes nothing
 * from them.
 */
function deleteLoadFile(
  context: CommandContext,
  target: Aid,
  related: boolean,
  domain: SecurityDomain,
): void {
  const { tx, card } = context;
  const made = tx.state.entries.filter((entry) => entry.loadFile === target);
  if (made.length > 0 && !related) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  for (const entry of made) {
    requireReach(context, domain, entry, PRIVILEGE.GLOBAL_DELETE);
    if (belongings(context, entry).some((other) => !made.some((doomed) => doomed.aid === other.aid))) {
      refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
    }
    requireNotSelected(context, entry.aid);
    tx.remove(entry.aid);
  }
  const preloaded = card.profile.loadFiles.some((file) => file.aid === target);
  if (preloaded) tx.patch({ deletedLoadFiles: [...tx.state.deletedLoadFiles, target] });
  else tx.patch({ loadFiles: tx.state.loadFiles.filter((file) => file.aid !== target) });
}

/** What lies below a Security Domain. */
function belongings(context: CommandContext, entry: Entry): readonly (Entry | LoadFileEntry)[] {
  if (entry.kind !== 'security-domain') return [];
  const { state } = context.tx;
  return [...state.entries, ...state.loadFiles].filter(
    (other) => other.aid !== entry.aid && isBelow(state, other, entry.aid),
  );
}

function isEntry(item: Entry | LoadFileEntry): item is Entry {
  return 'kind' in item;
}
