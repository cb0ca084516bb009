import {
  aidBytes,
  APPLICATION_LIFE_CYCLE,
  decodeInstallForInstall,
  decodePrivileges,
  decodeSecurityDomainParameters,
  decodeTlvs,
  findTlv,
  INSTALL_FOR,
  INSTALL_PROCESS,
  PRIVILEGE,
  SECURITY_DOMAIN_LIFE_CYCLE,
  STATUS_WORD,
} from '@sefleet/globalplatform';
import type { Aid } from '@sefleet/globalplatform';
import type { Answer } from '../applets/applet.ts';
import type { Authority } from '../card/authority.ts';
import type { Entry, SecurityDomain } from '../card/card-state.ts';
import { orRefuse, refuse } from '../card/refusal.ts';
import { SECURITY_DOMAIN_MODULE } from '../profiles/standard-profile.ts';
import { takeCardReset } from '../registry/default-selected.ts';
import { checkMemory } from '../registry/memory.ts';
import { allLoadFiles, ancestry, isBelow, MAX_HIERARCHY_DEPTH } from '../registry/registry.ts';
import { authorize, confirm } from './authorization.ts';
import { checkPrivileges } from './check-privileges.ts';
import { NO_DATA } from './command-context.ts';
import type { CommandContext } from './command-context.ts';
import { addLoadedFile, coveredBy, installForLoad } from './load.ts';
import { readAid } from './read-aid.ts';
import { extradite, personalize, updateRegistry } from './registry-commands.ts';

/** Entries of one registry: applications and Security Domains together. */
const MAX_ENTRIES = 64;

/** INSTALL (GPCS 2.3.1 §11.5), by what it is for. */
export function install(context: CommandContext): Answer {
  const { command } = context;
  if (command.p2 !== INSTALL_PROCESS.SINGLE) return combinedInstall(context);
  switch (command.p1) {
    case INSTALL_FOR.INSTALL:
    case INSTALL_FOR.MAKE_SELECTABLE:
    case INSTALL_FOR.INSTALL_AND_MAKE_SELECTABLE:
      return installApplication(context, NO_DATA);
    case INSTALL_FOR.LOAD:
      return installForLoad(context);
    case INSTALL_FOR.REGISTRY_UPDATE:
      return updateRegistry(context);
    case INSTALL_FOR.EXTRADITION:
      return extradite(context);
    case INSTALL_FOR.PERSONALIZATION:
      return personalize(context);
    default:
      return refuse(STATUS_WORD.INCORRECT_P1_P2);
  }
}

/**
 * The commands around the LOAD commands of a combined process (GPCS 2.3.1 §11.5.2.3.7). Hosts write the
 * whole process into P1, or only the command's own share of it. The load file and its application appear
 * together, or neither.
 */
function combinedInstall(context: CommandContext): Answer {
  const { command, channel } = context;
  const { p1, p2 } = command;
  const whole = p1 === INSTALL_FOR.LOAD_INSTALL_AND_MAKE_SELECTABLE;
  if (p2 === INSTALL_PROCESS.BEGINNING && (whole || p1 === INSTALL_FOR.LOAD)) return installForLoad(context);
  if (p2 !== INSTALL_PROCESS.END || !(whole || p1 === INSTALL_FOR.INSTALL_AND_MAKE_SELECTABLE)) {
    return refuse(STATUS_WORD.INCORRECT_P1_P2);
  }
  const { loading } = channel;
  channel.loading = undefined;
  if (loading?.complete !== true) return refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  const { loadFile } = decodeInstallForInstall(command.data);
  if (loadFile.length > 0 && readAid(loadFile) !== loading.loadFile) refuse(STATUS_WORD.WRONG_DATA);
  addLoadedFile(context, loading);
  return installApplication(context, loading.beginning, loading.loadFile);
}

function installApplication(context: CommandContext, beginning: Uint8Array, loaded?: Aid): Answer {
  const { command, tx, card } = context;
  const fields = decodeInstallForInstall(command.data);
  const covered = coveredBy(command.data, fields.token);
  const authority = authorize(context, covered, fields.token, fields.parameters, beginning);
  const { domain } = authority;
  if (command.p1 === INSTALL_FOR.MAKE_SELECTABLE) {
    const instance = readAid(fields.instance);
    const loadFile = makeSelectable(context, authority, instance, fields.privileges);
    return confirm(context, authority, { kind: 'install', loadFile, application: aidBytes(instance) });
  }
  const module = readAid(fields.module);
  const source = loaded ?? readAid(fields.loadFile);
  const file = orRefuse(
    allLoadFiles(tx.state, card.profile).find((other) => other.aid === source),
    STATUS_WORD.REFERENCED_DATA_NOT_FOUND,
  );
  if (!file.modules.includes(module)) refuse(STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
  const instance = readAid(fields.instance.length === 0 ? fields.module : fields.instance);
  const isTaken =
    tx.find(instance) !== undefined || tx.state.loadFiles.some((other) => other.aid === instance);
  if (isTaken || tx.state.entries.length >= MAX_ENTRIES) refuse(STATUS_WORD.WRONG_DATA);
  const privileges = orRefuse(decodePrivileges(fields.privileges), STATUS_WORD.WRONG_DATA);
  checkPrivileges(tx.state, privileges, module === SECURITY_DOMAIN_MODULE, undefined);
  const selectable = (command.p1 & INSTALL_FOR.MAKE_SELECTABLE) !== 0;
  const head = {
    aid: instance,
    privileges: privileges & ~PRIVILEGE.CARD_RESET,
    parent: domain.aid,
    loadFile: file.aid,
    module,
  };
  tx.put(
    module === SECURITY_DOMAIN_MODULE
      ? newDomain(context, domain, head, selectable, fields.parameters)
      : newApplication(context, head, selectable, fields.parameters),
  );
  if ((privileges & PRIVILEGE.CARD_RESET) !== 0) takeCardReset(tx, instance);
  checkMemory(tx.state, card, domain.aid);
  return confirm(context, authority, {
    kind: 'install',
    loadFile: aidBytes(file.aid),
    application: aidBytes(instance),
  });
}

interface EntryHead {
  readonly aid: Aid;
  readonly privileges: number;
  readonly parent: Aid;
  readonly loadFile: Aid;
  readonly module: Aid;
}

function newDomain(
  context: CommandContext,
  parent: SecurityDomain,
  head: EntryHead,
  selectable: boolean,
  parameters: Uint8Array,
): SecurityDomain {
  if (ancestry(context.tx.state, parent).length >= MAX_HIERARCHY_DEPTH) refuse(STATUS_WORD.WRONG_DATA);
  const wanted = decodeSecurityDomainParameters(parameters);
  if (wanted.secureChannel !== undefined && wanted.secureChannel.protocol !== 0x03)
    refuse(STATUS_WORD.WRONG_DATA);
  const { SELECTABLE, INSTALLED } = SECURITY_DOMAIN_LIFE_CYCLE;
  return {
    kind: 'security-domain',
    ...head,
    lifeCycle: selectable ? SELECTABLE : INSTALLED,
    scp03: wanted.secureChannel?.i ?? parent.scp03,
    acceptsExtraditionHere: isGranted(wanted.acceptExtraditionHere),
    acceptsExtraditionAway: isGranted(wanted.acceptExtraditionAway),
    acceptsDeletion: isGranted(wanted.acceptDeletion),
    controllingAuthority: wanted.controllingAuthority !== undefined,
    quotaBytes: wanted.quotaBytes ?? 0,
    keySets: [],
    objects: [],
    account: undefined,
  };
}

function newApplication(
  context: CommandContext,
  head: EntryHead,
  selectable: boolean,
  parameters: Uint8Array,
): Entry {
  const program = orRefuse(context.card.program(head.module), STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
  const specific = parameters.length === 0 ? undefined : findTlv(decodeTlvs(parameters), 0xc9);
  const { SELECTABLE, INSTALLED } = APPLICATION_LIFE_CYCLE;
  return {
    kind: 'application',
    ...head,
    lifeCycle: selectable ? SELECTABLE : INSTALLED,
    state: program.install(specific ?? NO_DATA, head.aid),
  };
}

/**
 * INSTALL [for make selectable]; Card Reset, the one privilege that it can give, goes to what is selectable
 * already as well. Returns the AID of the load file that the entry came from.
 */
function makeSelectable(
  { tx }: CommandContext,
  authority: Authority,
  instance: Aid,
  given: Uint8Array,
): Uint8Array {
  const entry = orRefuse(tx.find(instance), STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
  const privileges = given.length === 0 ? 0 : orRefuse(decodePrivileges(given), STATUS_WORD.WRONG_DATA);
  const becomesDefault = privileges === PRIVILEGE.CARD_RESET;
  if (!becomesDefault && privileges !== 0 && privileges !== entry.privileges) refuse(STATUS_WORD.WRONG_DATA);
  const fresh = entry.lifeCycle === APPLICATION_LIFE_CYCLE.INSTALLED;
  const own = isBelow(tx.state, entry, authority.domain.aid);
  if (!own || !(fresh || becomesDefault)) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  if (fresh) tx.put({ ...entry, lifeCycle: APPLICATION_LIFE_CYCLE.SELECTABLE });
  if (becomesDefault) takeCardReset(tx, instance);
  return entry.loadFile === undefined ? NO_DATA : aidBytes(entry.loadFile);
}

function isGranted(value: Uint8Array | undefined): boolean {
  return value !== undefined && value.some((byte) => byte !== 0);
}
