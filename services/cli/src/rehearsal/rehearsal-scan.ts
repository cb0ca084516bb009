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
  /** Images of some cards after the switch. */
  readonly cards: ReadonlyMap<string, Uint8Array>;
  /** Who must have left nothing on the card, by meter. */
  readonly left: ReadonlyMap<string, ReadonlySet<string>>;
  /** By card: what must not be on it, beside the keys and readings of those who left. */
  readonly gone?: ReadonlyMap<string, readonly Canary[]>;
}

/** Has every party's vault: the keys in it are where they belong. */
const CUSTODIAN = 'provisioning';
/** Run the cards, which hold the keys of their own meters. */
const CARD_HOSTS: ReadonlySet<string> = new Set(['rehearsal-ground', 'device-sim']);

/**
 * Searches every process, every file and some cards. The custodian's process has all vaults, so that keys in
 * its memory prove nothing; readings in the clear must not be there. Processes that run cards may hold what
 * lies on cards, and nothing that would open more than one.
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
  const readings = canaries.filter(({ isReading = false }) => isReading);
  const goneFrom = (endpoint: string): readonly Canary[] =>
    canaries.filter(({ owner, onCard }) => onCard && left.get(endpoint)?.has(owner) === true);
  return [
    scanFiles(folder, canaries, cardFolders),
    ...processes.map((one) => {
      if (one.name === CUSTODIAN)
        return scanMemory(one, readings, 'has the vaults of all parties: only readings are looked for');
      if (CARD_HOSTS.has(one.name))
        return scanMemory(one, masters, 'runs the cards: only keys of more than one card are looked for');
      return scanMemory(one, canaries);
    }),
    ...[...cards].map(([endpoint, image]) =>
      scanCard(endpoint, image, [...goneFrom(endpoint), ...(records.get(endpoint) ?? [])]),
    ),
  ];
}
