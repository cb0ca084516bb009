import type { Aid } from '@sefleet/globalplatform';
import { keyCheckValue } from '../commands/put-key.ts';
import { bytesBelow, freeBytes } from '../registry/memory.ts';
import type { MemoryOwner } from '../registry/memory.ts';
import { allLoadFiles } from '../registry/registry.ts';
import type { CardState, Entry } from './card-state.ts';
import type { SecureElement } from './secure-element.ts';
import type { VirtualCard } from './virtual-card.ts';

/** A key by what may be known of it. */
export interface KeyDescription {
  readonly version: number;
  readonly id: number;
  /** GPCS 2.3.1 table 11-16. */
  readonly type: number;
  /** Bytes of the key, of a public point, or of an RSA modulus. */
  readonly length: number;
  /** Three bytes (GPCS 2.3.1 §B.6); empty for asymmetric keys. */
  readonly checkValue: Uint8Array;
}

/** A Security Domain or an application. */
export interface EntryDescription {
  readonly aid: Aid;
  readonly kind: 'security-domain' | 'application';
  /** The Security Domain that it belongs to; itself at the root of a hierarchy. */
  readonly parent: Aid;
  readonly loadFile: Aid | undefined;
  /** As GET STATUS gives it: of the card for the Issuer Security Domain. */
  readonly lifeCycle: number;
  readonly privileges: number;
  readonly keys: readonly KeyDescription[];
  /** Non-volatile bytes of it and everything below it. */
  readonly usedBytes: number;
  /** Bytes granted to it and everything below it; 0 is no limit of its own. */
  readonly quotaBytes: number;
}

/** What a card is made of, without a secret. */
export interface CardDescription {
  /** The card's life cycle (GPCS 2.3.1 §5.1). */
  readonly lifeCycle: number;
  readonly freeBytes: number;
  readonly memoryBytes: number;
  /** Receipts made so far. */
  readonly confirmationCounter: number;
  readonly loadFiles: readonly Aid[];
  /** The Issuer Security Domain first. */
  readonly entries: readonly EntryDescription[];
}

/**
 * What is on a card, as whoever holds the chip's plans would see it: the registry, keys by version and check
 * value, memory. No owner's session is needed and no key is in it.
 */
export function describeCard(card: SecureElement): CardDescription {
  // All cards are made in this room.
  const virtual = card as VirtualCard;
  const { state, profile } = virtual;
  return {
    lifeCycle: state.lifeCycle,
    freeBytes: freeBytes(state, virtual),
    memoryBytes: profile.memoryBytes,
    confirmationCounter: state.confirmationCounter,
    loadFiles: allLoadFiles(state, profile).map(({ aid }) => aid),
    entries: state.entries.map((entry, i) => describeEntry(state, virtual, entry, i === 0)),
  };
}

function describeEntry(
  state: CardState,
  owner: MemoryOwner,
  entry: Entry,
  isIssuer: boolean,
): EntryDescription {
  const { aid, kind, parent, loadFile, privileges } = entry;
  const isDomain = entry.kind === 'security-domain';
  return {
    aid,
    kind,
    parent,
    loadFile,
    lifeCycle: isIssuer ? state.lifeCycle : entry.lifeCycle,
    privileges,
    keys: isDomain ? describeKeys(entry.keySets) : [],
    usedBytes: bytesBelow(state, owner, aid),
    quotaBytes: isDomain ? entry.quotaBytes : 0,
  };
}

function describeKeys(keySets: (Entry & { kind: 'security-domain' })['keySets']): readonly KeyDescription[] {
  return keySets.flatMap(({ version, keys }) =>
    keys.map((key) => ({
      version,
      id: key.id,
      type: key.type,
      length: key.value.length,
      checkValue: keyCheckValue(key),
    })),
  );
}
