import { concatBytes } from '@sefleet/bytes';
import type { CommandApdu } from '../apdu/command-apdu.ts';
import { expectStatus } from '../secure-channel/transmit.ts';
import type { CardLink } from '../secure-channel/transmit.ts';
import { STATUS_WORD } from '../status-word.ts';
import { aid, aidBytes } from '../aid.ts';
import type { Aid } from '../aid.ts';
import { decodeTlvs, encodeTlv, findTlv, requireTlv } from '../tlv/ber-tlv.ts';
import type { Tlv } from '../tlv/ber-tlv.ts';
import { globalPlatformError } from '../errors.ts';
import { gpCommand, INS } from './command.ts';
import { decodePrivileges, encodePrivileges } from './privileges.ts';

/** P1 of GET STATUS (GPCS 2.3.1 table 11-33). */
export const STATUS_SCOPE = {
  ISSUER_SECURITY_DOMAIN: 0x80,
  APPLICATIONS: 0x40,
  LOAD_FILES: 0x20,
  LOAD_FILES_AND_MODULES: 0x10,
} as const;

/** A scope of GET STATUS. */
export type StatusScope = (typeof STATUS_SCOPE)[keyof typeof STATUS_SCOPE];

/** One entry of the card's registry (GPCS 2.3.1 table 11-36). */
export interface RegistryEntry {
  readonly aid: Aid;
  readonly lifeCycle: number;
  /** Absent on load files. */
  readonly privileges?: number;
  readonly loadFile?: Aid;
  readonly loadFileVersion?: Uint8Array;
  readonly modules?: readonly Aid[];
  /** The Security Domain that the entry belongs to. */
  readonly securityDomain?: Aid;
}

/** More pages than this come from no card with a memory of its own. */
const MAX_PAGES = 64;
const FIRST = 0x02;
const NEXT = 0x03;

/** GET STATUS with the TLV form of response; `filter` is an AID or its beginning. */
export function getStatusCommand(
  scope: StatusScope,
  options: { readonly filter?: Uint8Array; readonly next?: boolean; readonly tags?: Uint8Array } = {},
): CommandApdu {
  const search = encodeTlv(0x4f, options.filter ?? new Uint8Array(0));
  const data = options.tags === undefined ? search : concatBytes(search, encodeTlv(0x5c, options.tags));
  return gpCommand(INS.GET_STATUS, scope, options.next === true ? NEXT : FIRST, data);
}

/**
 * All entries of a scope, over as many commands as it takes; none when the card has no such entry (`6A88`).
 *
 * @throws SefleetError `GP_STATUS_WORD` when the card refuses.
 */
export async function readRegistry(link: CardLink, scope: StatusScope): Promise<readonly RegistryEntry[]> {
  const entries: RegistryEntry[] = [];
  const expected = [STATUS_WORD.OK, STATUS_WORD.MORE_DATA_AVAILABLE, STATUS_WORD.REFERENCED_DATA_NOT_FOUND];
  for (let page = 0; page < MAX_PAGES; page++) {
    const command = getStatusCommand(scope, { next: page > 0 });
    const { data, sw } = await expectStatus(link, command, 'GET STATUS', expected);
    if (sw === STATUS_WORD.REFERENCED_DATA_NOT_FOUND) return entries;
    entries.push(...decodeStatus(data));
    if (sw === STATUS_WORD.OK) return entries;
  }
  throw globalPlatformError('GP_STATUS_WORD', 'GET STATUS does not come to an end');
}

/** Reads the response data of GET STATUS. */
export function decodeStatus(data: Uint8Array): readonly RegistryEntry[] {
  return decodeTlvs(data)
    .filter((object) => object.tag === 0xe3)
    .map((object) => decodeEntry(decodeTlvs(object.value)));
}

/**
 * One entry as it stands in the response of GET STATUS.
 *
 * @param tags The data objects that the host's tag list (5C) names; all of them when it has none.
 */
export function encodeStatusEntry(entry: RegistryEntry, tags?: readonly number[]): Uint8Array {
  const { privileges, loadFile, loadFileVersion, securityDomain } = entry;
  const objects: readonly (readonly [tag: number, value: Uint8Array | undefined])[] = [
    [0x4f, aidBytes(entry.aid)],
    [0x9f70, Uint8Array.of(entry.lifeCycle)],
    [0xc5, privileges === undefined ? undefined : encodePrivileges(privileges)],
    [0xc4, loadFile === undefined ? undefined : aidBytes(loadFile)],
    [0xce, loadFileVersion],
    ...(entry.modules ?? []).map((module) => [0x84, aidBytes(module)] as const),
    [0xcc, securityDomain === undefined ? undefined : aidBytes(securityDomain)],
  ];
  const wanted = objects.flatMap(([tag, value]) =>
    value === undefined || tags?.includes(tag) === false ? [] : [encodeTlv(tag, value)],
  );
  return encodeTlv(0xe3, ...wanted);
}

function decodeEntry(objects: readonly Tlv[]): RegistryEntry {
  const privileges = findTlv(objects, 0xc5);
  const loadFile = findTlv(objects, 0xc4);
  const loadFileVersion = findTlv(objects, 0xce);
  const securityDomain = findTlv(objects, 0xcc);
  const modules = objects.filter((object) => object.tag === 0x84).map((object) => aid(object.value));
  const decodedPrivileges = privileges === undefined ? undefined : decodePrivileges(privileges);
  return {
    aid: aid(requireTlv(objects, 0x4f)),
    lifeCycle: requireTlv(objects, 0x9f70)[0] ?? 0,
    ...(decodedPrivileges === undefined ? {} : { privileges: decodedPrivileges }),
    ...(loadFile === undefined || loadFile.length === 0 ? {} : { loadFile: aid(loadFile) }),
    ...(loadFileVersion === undefined ? {} : { loadFileVersion }),
    ...(modules.length === 0 ? {} : { modules }),
    ...(securityDomain === undefined || securityDomain.length === 0
      ? {}
      : { securityDomain: aid(securityDomain) }),
  };
}
