import { STATUS_WORD } from '@sefleet/globalplatform';
import type { Aid } from '@sefleet/globalplatform';
import type { AppletProgram } from '../applets/applet.ts';
import type { CardState, Entry, LoadFileEntry } from '../card/card-state.ts';
import { refuse } from '../card/refusal.ts';
import type { CardProfile } from '../profiles/card-profile.ts';
import { findEntry, isBelow } from './registry.ts';

/**
 * Bytes that a registry entry takes on the chip, beside its keys and data: a round figure of Java Card
 * platforms.
 */
const ENTRY_OVERHEAD = 96;
const KEY_OVERHEAD = 12;
/** A record account with its names, its key and its counters. */
const ACCOUNT_OVERHEAD = 160;

/** What the count needs of a card: the size of its memory, and the applets, which know their states. */
export interface MemoryOwner {
  readonly profile: CardProfile;
  program(module: Aid): AppletProgram | undefined;
}

/** Non-volatile bytes that are free on the chip. */
export function freeBytes(state: CardState, card: MemoryOwner): number {
  return card.profile.memoryBytes - usedBytes(state, card, () => true);
}

/** Non-volatile bytes of an entry and everything below it. */
export function bytesBelow(state: CardState, card: MemoryOwner, aid: Aid): number {
  return usedBytes(state, card, (item) => isBelow(state, item, aid));
}

/**
 * Ends the command with 6A84 when the chip or a domain above `owner` has no room left for what the state now
 * holds.
 */
export function checkMemory(state: CardState, card: MemoryOwner, owner: Aid): void {
  if (freeBytes(state, card) < 0) refuse(STATUS_WORD.NOT_ENOUGH_MEMORY);
  let domain = findEntry(state, owner);
  while (domain?.kind === 'security-domain') {
    const { aid, quotaBytes, parent } = domain;
    if (quotaBytes > 0 && bytesBelow(state, card, aid) > quotaBytes) refuse(STATUS_WORD.NOT_ENOUGH_MEMORY);
    if (parent === aid) return;
    domain = findEntry(state, parent);
  }
}

function usedBytes(
  state: CardState,
  card: MemoryOwner,
  counts: (item: Entry | LoadFileEntry) => boolean,
): number {
  let used = 0;
  for (const entry of state.entries) if (counts(entry)) used += entryBytes(entry, card);
  for (const file of state.loadFiles) if (counts(file)) used += ENTRY_OVERHEAD + file.size;
  return used;
}

function entryBytes(entry: Entry, card: MemoryOwner): number {
  if (entry.kind === 'application') {
    return ENTRY_OVERHEAD + (card.program(entry.module)?.encode(entry.state).length ?? 0);
  }
  let bytes = ENTRY_OVERHEAD;
  for (const set of entry.keySets) for (const key of set.keys) bytes += KEY_OVERHEAD + key.value.length;
  for (const object of entry.objects) bytes += object.value.length;
  if (entry.account !== undefined) bytes += ACCOUNT_OVERHEAD + (entry.account.grant?.parameters.length ?? 0);
  return bytes;
}
