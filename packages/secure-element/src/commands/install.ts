import {
  aid,
  APPLICATION_LIFE_CYCLE,
  decodeInstallForInstall,
  decodeInstallForRegistry,
  decodePrivileges,
  decodeSecurityDomainParameters,
  decodeTlvs,
  findTlv,
  INSTALL_FOR,
  LIFE_CYCLE_LOCKED,
  PRIVILEGE,
  SECURITY_DOMAIN_LIFE_CYCLE,
  STATUS_WORD,
} from '@sefleet/globalplatform';
import type { Aid } from '@sefleet/globalplatform';
import type { Answer } from '../applets/applet.ts';
import type { Entry, SecurityDomain } from '../card/card-state.ts';
import { orRefuse, refuse } from '../card/refusal.ts';
import { checkMemory } from '../registry/memory.ts';
import {
  allLoadFiles,
  ancestry,
  isBelow,
  MAX_HIERARCHY_DEPTH,
  UNIQUE_PRIVILEGES,
} from '../registry/registry.ts';
import { SECURITY_DOMAIN_MODULE } from '../profiles/standard-profile.ts';
import { performingDomain, requireAuthorizedManagement } from './authorization.ts';
import { NO_DATA } from './command-context.ts';
import type { CommandContext } from './command-context.ts';

/** Entries of one registry: applications and Security Domains together. */
const MAX_ENTRIES = 64;
const DONE_WITHOUT_RECEIPT = Uint8Array.of(0);

/** INSTALL (GPCS 2.3.1 §11.5), by what it is for. */
export function install(context: CommandContext): Answer {
  const { command } = context;
  if (command.p2 !== 0) refuse(STATUS_WORD.INCORRECT_P1_P2);
  switch (command.p1) {
    case INSTALL_FOR.INSTALL:
    case INSTALL_FOR.MAKE_SELECTABLE:
    case INSTALL_FOR.INSTALL_AND_MAKE_SELECTABLE:
      return installApplication(context);
    case INSTALL_FOR.EXTRADITION:
      return extradite(context);
    case INSTALL_FOR.PERSONALIZATION:
      return personalize(context);
    default:
      return refuse(STATUS_WORD.INCORRECT_P1_P2);
  }
}

function installApplication(context: CommandContext): Answer {
  const { command, tx, card } = context;
  const domain = performingDomain(context);
  const fields = decodeInstallForInstall(command.data);
  requireAuthorizedManagement(domain);
  if (command.p1 === INSTALL_FOR.MAKE_SELECTABLE) {
    makeSelectable(context, readAid(fields.instance));
    return DONE_WITHOUT_RECEIPT;
  }
  const module = readAid(fields.module);
  const file = orRefuse(
    allLoadFiles(tx.state, card.profile).find((other) => other.aid === readAid(fields.loadFile)),
    STATUS_WORD.REFERENCED_DATA_NOT_FOUND,
  );
  if (!file.modules.includes(module)) refuse(STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
  const instance = readAid(fields.instance.length === 0 ? fields.module : fields.instance);
  if (tx.find(instance) !== undefined || tx.state.entries.length >= MAX_ENTRIES)
    refuse(STATUS_WORD.WRONG_DATA);
  const privileges = orRefuse(decodePrivileges(fields.privileges), STATUS_WORD.WRONG_DATA);
  checkPrivileges(context, privileges, module);
  const selectable = (command.p1 & INSTALL_FOR.MAKE_SELECTABLE) !== 0;
  const head = { aid: instance, privileges, parent: domain.aid, loadFile: file.aid, module };
  tx.put(
    module === SECURITY_DOMAIN_MODULE
      ? newDomain(context, domain, head, selectable, fields.parameters)
      : newApplication(context, head, selectable, fields.parameters),
  );
  checkMemory(tx.state, card.profile, domain.aid);
  return DONE_WITHOUT_RECEIPT;
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

function makeSelectable({ tx }: CommandContext, instance: Aid): void {
  const entry = orRefuse(tx.find(instance), STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
  if (entry.lifeCycle !== APPLICATION_LIFE_CYCLE.INSTALLED) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  tx.put({ ...entry, lifeCycle: APPLICATION_LIFE_CYCLE.SELECTABLE });
}

/** GPCS 2.3.1 §9.4.1: the application's domain gives it away, and the new one has to accept it. */
function extradite(context: CommandContext): Answer {
  const { command, tx } = context;
  const domain = performingDomain(context);
  const fields = decodeInstallForRegistry(command.data);
  requireAuthorizedManagement(domain);
  const target = tx.domain(readAid(fields.securityDomain));
  const application = orRefuse(tx.find(readAid(fields.application)), STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
  const issuer = tx.state.entries[0]?.aid;
  const from = tx.domain(application.parent);
  if (application.aid === issuer || !isBelow(tx.state, application, domain.aid)) {
    refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  }
  const given = from.aid === domain.aid || from.aid === issuer || from.acceptsExtraditionAway;
  const taken = target.aid === issuer || target.acceptsExtraditionHere;
  const locked = (target.lifeCycle & LIFE_CYCLE_LOCKED) !== 0 && target.aid !== issuer;
  if (!given || !taken || locked) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  if (isBelow(tx.state, target, application.aid)) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  tx.put({ ...application, parent: target.aid });
  checkMemory(tx.state, context.card.profile, target.aid);
  return DONE_WITHOUT_RECEIPT;
}

function personalize(context: CommandContext): Answer {
  const { command, tx, channel } = context;
  const domain = performingDomain(context);
  const target = readAid(decodeInstallForRegistry(command.data).application);
  const application = orRefuse(tx.find(target), STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
  const own =
    application.aid === domain.aid ||
    (application.kind === 'application' && application.parent === domain.aid);
  if (!own) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  channel.personalizing = application.aid === domain.aid ? undefined : application.aid;
  channel.storing = undefined;
  return DONE_WITHOUT_RECEIPT;
}

/** GPCS 2.3.1 §6.6: which privileges go together, and which the card has only once. */
function checkPrivileges(context: CommandContext, privileges: number, module: Aid): void {
  const isDomain = module === SECURITY_DOMAIN_MODULE;
  const has = (bits: number): boolean => (privileges & bits) !== 0;
  if (has(PRIVILEGE.SECURITY_DOMAIN) !== isDomain) refuse(STATUS_WORD.WRONG_DATA);
  if (!isDomain && has(DOMAIN_ONLY)) refuse(STATUS_WORD.WRONG_DATA);
  if (has(PRIVILEGE.AUTHORIZED_MANAGEMENT) && has(PRIVILEGE.DELEGATED_MANAGEMENT))
    refuse(STATUS_WORD.WRONG_DATA);
  const unique = privileges & UNIQUE_PRIVILEGES;
  if (context.tx.state.entries.some((entry) => (entry.privileges & unique) !== 0))
    refuse(STATUS_WORD.WRONG_DATA);
}

function isGranted(value: Uint8Array | undefined): boolean {
  return value !== undefined && value.some((byte) => byte !== 0);
}

/** An AID from a command; 6A80 when it has another length than AIDs have. */
export function readAid(bytes: Uint8Array): Aid {
  return bytes.length >= 5 && bytes.length <= 16 ? aid(bytes) : refuse(STATUS_WORD.WRONG_DATA);
}

const DOMAIN_ONLY =
  PRIVILEGE.DAP_VERIFICATION |
  PRIVILEGE.DELEGATED_MANAGEMENT |
  PRIVILEGE.MANDATED_DAP |
  PRIVILEGE.AUTHORIZED_MANAGEMENT |
  PRIVILEGE.TOKEN_VERIFICATION |
  PRIVILEGE.RECEIPT_GENERATION |
  PRIVILEGE.CIPHERED_LOAD_FILE;
