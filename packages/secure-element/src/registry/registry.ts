import { LOAD_FILE_LOADED, PRIVILEGE, SECURITY_DOMAIN_LIFE_CYCLE } from '@sefleet/globalplatform';
import type { Aid, RegistryEntry } from '@sefleet/globalplatform';
import type { CardState, Entry, KeySet, LoadFileEntry, SecurityDomain } from '../card/card-state.ts';
import type { CardProfile } from '../profiles/card-profile.ts';
import { isOfSpecialUse } from './special-keys.ts';

/**
 * Deeper hierarchies of Security Domains than this are refused at creation; it also bounds every walk
 * upwards.
 */
export const MAX_HIERARCHY_DEPTH = 8;

/** The registry's entry with this AID. */
export function findEntry(state: CardState, target: Aid): Entry | undefined {
  for (const entry of state.entries) if (entry.aid === target) return entry;
  return undefined;
}

/** The Security Domain that `entry` belongs to; undefined at the root. */
function parentOf(
  state: CardState,
  entry: { readonly aid: Aid; readonly parent: Aid },
): SecurityDomain | undefined {
  if (entry.parent === entry.aid) return undefined;
  const parent = findEntry(state, entry.parent);
  return parent?.kind === 'security-domain' ? parent : undefined;
}

/** `domain` itself and everything above it, nearest first. */
export function ancestry(state: CardState, domain: SecurityDomain): readonly SecurityDomain[] {
  const chain = [domain];
  for (let up = parentOf(state, domain); up !== undefined && chain.length < MAX_HIERARCHY_DEPTH;) {
    chain.push(up);
    up = parentOf(state, up);
  }
  return chain;
}

/** True when `target` is `domain` or lies below it. */
export function isBelow(state: CardState, target: Entry | LoadFileEntry, domain: Aid): boolean {
  if (target.aid === domain) return true;
  let at: { readonly aid: Aid; readonly parent: Aid } | undefined = target;
  for (let i = 0; at !== undefined && i <= MAX_HIERARCHY_DEPTH; i++) {
    if (at.parent === domain) return true;
    at = parentOf(state, at);
  }
  return false;
}

/** The Security Domain that answers for `entry`: itself, or the one that the application belongs to. */
export function associatedDomain(state: CardState, entry: Entry): SecurityDomain | undefined {
  return entry.kind === 'security-domain' ? entry : parentOf(state, entry);
}

/** True for the key sets of secure channels: three AES keys with identifiers 1 to 3. */
export function isChannelKeySet(set: KeySet): boolean {
  if (isOfSpecialUse(set)) return false;
  return [1, 2, 3].every((id) => set.keys.some((key) => key.id === id && key.type === AES));
}

/**
 * The domain whose keys open a channel to `domain`, and the key set: its own, or those of the nearest domain
 * above it as long as it has none (GPCS 2.3.1 §7.3.4).
 *
 * @param version The version asked for; 0 takes the first.
 */
export function channelKeys(
  state: CardState,
  domain: SecurityDomain,
  version: number,
): { readonly owner: SecurityDomain; readonly keySet: KeySet } | undefined {
  for (const owner of ancestry(state, domain)) {
    const sets = owner.keySets.filter(isChannelKeySet);
    if (sets.length === 0) {
      // A personalised domain that lost its keys is closed; the domain above must not get in by that.
      if ((owner.lifeCycle & SECURITY_DOMAIN_LIFE_CYCLE.PERSONALIZED) === PERSONALIZED) return undefined;
      continue;
    }
    const keySet = version === 0 ? sets[0] : sets.find((set) => set.version === version);
    return keySet === undefined ? undefined : { owner, keySet };
  }
  return undefined;
}

/** All load files: those of the profile that were not deleted, and those that were loaded. */
export function allLoadFiles(state: CardState, profile: CardProfile): readonly LoadFileEntry[] {
  const preloaded = profile.loadFiles
    .filter((file) => !state.deletedLoadFiles.includes(file.aid))
    .map((file) => ({ ...file, parent: profile.issuerDomain, size: 0 }));
  return [...preloaded, ...state.loadFiles];
}

/** An entry as GET STATUS shows it. */
export function describeEntry(entry: Entry): RegistryEntry {
  return {
    aid: entry.aid,
    lifeCycle: entry.lifeCycle,
    privileges: entry.privileges,
    ...(entry.loadFile === undefined ? {} : { loadFile: entry.loadFile }),
    securityDomain: entry.parent,
  };
}

/** A load file as GET STATUS shows it. */
export function describeLoadFile(file: LoadFileEntry, withModules: boolean): RegistryEntry {
  return {
    aid: file.aid,
    lifeCycle: LOAD_FILE_LOADED,
    loadFileVersion: file.version,
    ...(withModules ? { modules: file.modules } : {}),
    securityDomain: file.parent,
  };
}

/** True when `domain` has all of the privileges in `mask`. */
export function hasPrivilege(domain: { readonly privileges: number }, mask: number): boolean {
  return (domain.privileges & mask) === mask;
}

/** Privileges that one entry of a card may have, and keeps; Card Reset is handed on (GPCS 2.3.1 §6.6.2). */
export const UNIQUE_PRIVILEGES =
  PRIVILEGE.FINAL_APPLICATION | PRIVILEGE.MANDATED_DAP | PRIVILEGE.RECEIPT_GENERATION;

const AES = 0x88;
const PERSONALIZED = SECURITY_DOMAIN_LIFE_CYCLE.PERSONALIZED;
