import { scanCard, scanFiles, scanMemory, type Canary, type ScannedPlace } from './canary-scan.ts';

/** A process of the rehearsal. */
export interface ScannedProcess {
  readonly name: string;
  readonly pid: number;
}

/** What is searched, and for whose secrets. */
export interface ScanPlan {
  readonly folder: string;
  /** Folders in it that stand for the cards' own memory. */
  readonly cardFolders: ReadonlySet<string>;
  readonly processes: readonly ScannedProcess[];
  readonly canaries: readonly Canary[];
  /** Images of some cards after the switch, and who must have left nothing on them. */
  readonly cards: ReadonlyMap<string, Uint8Array>;
  readonly left: ReadonlySet<string>;
  /** By card: what must not be on it, beside the keys and readings of those who left. */
  readonly gone?: ReadonlyMap<string, readonly Canary[]>;
}

/** Has every party's vault: whatever is there, is its own. */
const CUSTODIAN = 'provisioning';
/** Run the cards, which hold the keys of their own meters. */
const CARD_HOSTS: ReadonlySet<string> = new Set(['rehearsal-ground', 'device-sim']);

/**
 * Searches everything that is not the custodian's own memory. The custodian's process has all vaults, so that
 * its memory proves nothing and is named instead; processes that run cards may hold what lies on cards, and
 * nothing that would open more than one.
 */
export function scanRehearsal({
  folder,
  cardFolders,
  processes,
  canaries,
  cards,
  left,
  gone: records = new Map(),
}: ScanPlan): readonly ScannedPlace[] {
  const masters = canaries.filter(({ onCard }) => !onCard);
  const gone = canaries.filter(({ owner, onCard }) => onCard && left.has(owner));
  return [
    scanFiles(folder, canaries, cardFolders),
    ...processes.map((one) => {
      if (one.name === CUSTODIAN)
        return scanMemory(one, [], 'the custodian: holds the vaults of all parties');
      if (CARD_HOSTS.has(one.name))
        return scanMemory(one, masters, 'runs the cards: only keys of more than one card are looked for');
      return scanMemory(one, canaries);
    }),
    ...[...cards].map(([endpoint, image]) =>
      scanCard(endpoint, image, [...gone, ...(records.get(endpoint) ?? [])]),
    ),
  ];
}
