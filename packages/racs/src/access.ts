import { bytesEqual, fromHex } from '@sefleet/bytes';

/** Who may use which secure element, which application on it, and which commands. */
export interface RacsAccess {
  mayUse(commonName: string, seid: string): boolean;
  /** Asked when an application is selected by its AID. */
  maySelect(commonName: string, seid: string, aid: Uint8Array): boolean;
  /** True when the element has a table of applications, so that commands need a selected one. */
  hasApplicationTable(seid: string): boolean;
  mayTransmit(commonName: string, seid: string, apdu: Uint8Array): boolean;
}

/** The tables of a server; `*` stands for every user or element. */
export interface AccessTables {
  /** Common name -> the secure elements that it may use. */
  readonly users: Readonly<Record<string, readonly string[]>>;
  /**
   * SEID -> AID (hexadecimal, a prefix matches) -> common names. An element without an entry leaves its
   * applications open.
   */
  readonly applications?: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  /** Commands that nobody may send: those that equal `prefix` under `mask`, byte by byte. */
  readonly denied?: readonly { readonly mask: string; readonly prefix: string; readonly seid?: string }[];
}

const ANY = '*';

/** Access by tables, as the RACS server keeps them. */
export function createTableAccess(tables: AccessTables): RacsAccess {
  const denied = (tables.denied ?? []).map(({ mask, prefix, seid }) => ({
    mask: fromHex(mask),
    prefix: fromHex(prefix),
    seid: seid ?? ANY,
  }));
  const contains = (names: readonly string[] | undefined, name: string): boolean =>
    names !== undefined && (names.includes(name) || names.includes(ANY));
  const applicationsOf = (seid: string): [Uint8Array, readonly string[]][] | undefined => {
    const table = own(tables.applications, seid) ?? own(tables.applications, ANY);
    if (table === undefined) return undefined;
    return Object.entries(table).map(([aid, names]) => [fromHex(aid), names]);
  };
  return {
    mayUse: (commonName, seid) =>
      contains(own(tables.users, commonName), seid) || contains(own(tables.users, ANY), seid),
    hasApplicationTable: (seid) => applicationsOf(seid) !== undefined,
    maySelect: (commonName, seid, aid) =>
      applicationsOf(seid)?.some(
        ([prefix, names]) =>
          bytesEqual(aid.subarray(0, prefix.length), prefix) && contains(names, commonName),
      ) ?? true,
    mayTransmit: (_commonName, seid, apdu) =>
      !denied.some(
        (rule) => (rule.seid === ANY || rule.seid === seid) && matches(apdu, rule.mask, rule.prefix),
      ),
  };
}

/** A name may be anything, also that of something that every object has. */
function own<T>(table: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return table !== undefined && Object.hasOwn(table, name) ? table[name] : undefined;
}

function matches(apdu: Uint8Array, mask: Uint8Array, prefix: Uint8Array): boolean {
  if (apdu.length < mask.length) return false;
  return mask.every((bits, i) => ((apdu[i] ?? 0) & bits) === ((prefix[i] ?? 0) & bits));
}
