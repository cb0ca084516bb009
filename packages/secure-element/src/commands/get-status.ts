import { toHex } from '@sefleet/bytes';
import {
  decodeTagList,
  decodeTlvs,
  encodeStatusEntry,
  findTlv,
  PRIVILEGE,
  STATUS_SCOPE,
  STATUS_WORD,
} from '@sefleet/globalplatform';
import type { RegistryEntry } from '@sefleet/globalplatform';
import type { Answer } from '../applets/applet.ts';
import type { SecurityDomain } from '../card/card-state.ts';
import { orRefuse, refuse } from '../card/refusal.ts';
import {
  allLoadFiles,
  describeEntry,
  describeLoadFile,
  hasPrivilege,
  isBelow,
} from '../registry/registry.ts';
import { requireSession, selectedDomain } from './command-context.ts';
import type { CommandContext } from './command-context.ts';

/** Response data per command, so that it fits a short APDU with MAC and padding. */
const PAGE_BYTES = 224;
const NEXT = 0x01;
const TLV_FORM = 0x02;

/** GET STATUS (GPCS 2.3.1 §11.4), in the TLV form and the older one. */
export function getStatus(context: CommandContext): Answer {
  const { command, channel } = context;
  requireSession(context);
  const domain = selectedDomain(context);
  if ((command.p2 & ~(NEXT | TLV_FORM)) !== 0) refuse(STATUS_WORD.INCORRECT_P1_P2);
  const { filter, tags } = readSearch(command.data);
  const key = `${command.p1}/${command.p2 & TLV_FORM}/${toHex(command.data)}`;
  const next = (command.p2 & NEXT) !== 0;
  if (next && channel.listing?.key !== key) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  const entries = listEntries(context, domain, command.p1).filter((entry) => entry.aid.startsWith(filter));
  if (entries.length === 0) refuse(STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
  const old = (command.p2 & TLV_FORM) === 0;
  const encode = (entry: RegistryEntry): Uint8Array =>
    old ? encodeOldForm(entry) : encodeStatusEntry(entry, tags);
  const page: Uint8Array[] = [];
  let length = 0;
  let at = next ? (channel.listing?.at ?? 0) : 0;
  for (; at < entries.length; at++) {
    const entry = entries[at];
    const bytes = entry === undefined ? new Uint8Array(0) : encode(entry);
    if (page.length > 0 && length + bytes.length > PAGE_BYTES) break;
    page.push(bytes);
    length += bytes.length;
  }
  const done = at >= entries.length;
  channel.listing = done ? undefined : { key, at };
  const data = Buffer.concat(page);
  return done ? data : { data, sw: STATUS_WORD.MORE_DATA_AVAILABLE };
}

/** The beginning of the AIDs that are looked for, and the data objects that the host wants of each. */
function readSearch(data: Uint8Array): {
  readonly filter: string;
  readonly tags: readonly number[] | undefined;
} {
  const objects = decodeTlvs(data);
  const filter = orRefuse(findTlv(objects, 0x4f), STATUS_WORD.WRONG_DATA);
  const list = findTlv(objects, 0x5c);
  return { filter: toHex(filter), tags: list === undefined ? undefined : decodeTagList(list) };
}

/** A domain sees what belongs to it; one with Global Registry, and the issuer's, sees everything. */
function listEntries(
  context: CommandContext,
  domain: SecurityDomain,
  scope: number,
): readonly RegistryEntry[] {
  const { tx, card } = context;
  const { state } = tx;
  const [issuer] = state.entries;
  const all = domain === issuer || hasPrivilege(domain, PRIVILEGE.GLOBAL_REGISTRY);
  switch (scope) {
    case STATUS_SCOPE.ISSUER_SECURITY_DOMAIN:
      if (issuer === undefined || !(all || domain === issuer)) return [];
      return [{ ...describeEntry(issuer), lifeCycle: state.lifeCycle }];
    case STATUS_SCOPE.APPLICATIONS:
      return state.entries
        .filter((entry) => entry !== issuer && (all || isBelow(state, entry, domain.aid)))
        .map(describeEntry);
    case STATUS_SCOPE.LOAD_FILES:
    case STATUS_SCOPE.LOAD_FILES_AND_MODULES:
      return allLoadFiles(state, card.profile)
        .filter((file) => all || isBelow(state, file, domain.aid))
        .map((file) => describeLoadFile(file, scope === STATUS_SCOPE.LOAD_FILES_AND_MODULES));
    default:
      return refuse(STATUS_WORD.INCORRECT_P1_P2);
  }
}

/** GPCS 2.3.1 table 11-35: length, AID, state, one byte of privileges, and the modules of a load file. */
function encodeOldForm(entry: RegistryEntry): Uint8Array {
  const lv = (aid: string): Buffer => Buffer.concat([Buffer.of(aid.length / 2), Buffer.from(aid, 'hex')]);
  const head = Buffer.concat([lv(entry.aid), Buffer.of(entry.lifeCycle, (entry.privileges ?? 0) >> 16)]);
  if (entry.modules === undefined) return head;
  return Buffer.concat([head, Buffer.of(entry.modules.length), ...entry.modules.map(lv)]);
}
