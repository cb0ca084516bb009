import { toHex } from '@sefleet/bytes';
import type { secureElement } from '@sefleet/api';
import type { Backend } from '../backend.ts';
import { usageError, type Verb } from '../command-line.ts';
import { keyTypeName } from '../secure-element/key-type-name.ts';
import { formatTable } from '../terminal/table.ts';
import { withBackend } from './fleet.ts';

export const seShow: Verb = {
  name: 'se show',
  summary: 'a card: domains, applications, keys by version and check value, life cycles, memory',
  positionals: '<endpoint>',
  options: { json: { type: 'boolean', doc: 'as JSON' } },
  examples: [
    'sefleet se show urn:dev:sefleet:meter-000001',
    'sefleet se show urn:dev:sefleet:obu-000001 --json',
  ],
  run: (parsed) => {
    const [endpoint] = parsed.positionals;
    if (endpoint === undefined) throw usageError('which card?', 'List them: sefleet se list');
    return withBackend(async (backend) => {
      const shown = await readCard(backend, endpoint);
      if (parsed.flag('json')) console.log(JSON.stringify(shown, null, 2));
      else console.log(formatCard(shown));
    });
  },
};

interface ShownKey {
  readonly version: string;
  readonly id: number;
  readonly type: string;
  /** Hexadecimal; empty for asymmetric keys. */
  readonly checkValue: string;
}

interface ShownEntry {
  readonly aid: string;
  readonly kind: 'security domain' | 'application';
  /** Steps below the root of its hierarchy. */
  readonly depth: number;
  readonly parent: string;
  /** The party that provisioning knows for the domain; empty when it knows none. */
  readonly stakeholder: string;
  readonly lifeCycle: string;
  readonly privileges: readonly string[];
  readonly usedBytes: number;
  readonly quotaBytes: number;
  readonly keys: readonly ShownKey[];
}

interface ShownCard {
  readonly endpoint: string;
  readonly revision: number;
  readonly lifeCycle: string;
  readonly receipts: number;
  readonly memoryBytes: number;
  readonly freeBytes: number;
  readonly loadFiles: readonly string[];
  /** Each domain before what lies below it. */
  readonly entries: readonly ShownEntry[];
}

/** What the simulator knows of the card, with what provisioning knows of its domains. */
async function readCard(backend: Backend, endpoint: string): Promise<ShownCard> {
  const described = await backend.secureElements.describeSecureElement({ endpoint });
  const known = await backend.rotation.listSecurityDomains({ endpoint }).catch(() => undefined);
  const stakeholders = new Map(
    known?.securityDomains.map(({ aid, stakeholder }) => [aid.toLowerCase(), stakeholder]),
  );
  return {
    endpoint,
    revision: Number(described.summary?.revision ?? 0),
    lifeCycle: described.lifeCycle,
    receipts: described.confirmationCounter,
    memoryBytes: Number(described.memoryBytes),
    freeBytes: Number(described.freeBytes),
    loadFiles: described.loadFiles.map((aid) => aid.toUpperCase()),
    entries: inOrder(described.entries).map(({ entry, depth }) =>
      toShown(entry, depth, stakeholders.get(entry.aid.toLowerCase()) ?? ''),
    ),
  };
}

interface Placed {
  readonly entry: secureElement.RegistryEntry;
  readonly depth: number;
}

/** The hierarchies from their roots down. */
function inOrder(entries: readonly secureElement.RegistryEntry[]): readonly Placed[] {
  const below = (parent: string, depth: number): readonly Placed[] =>
    entries
      .filter((entry) => entry.parent === parent && entry.aid !== parent)
      .flatMap((entry) => [{ entry, depth }, ...below(entry.aid, depth + 1)]);
  return entries
    .filter((entry) => entry.parent === entry.aid)
    .flatMap((entry) => [{ entry, depth: 0 }, ...below(entry.aid, 1)]);
}

function toShown(entry: secureElement.RegistryEntry, depth: number, stakeholder: string): ShownEntry {
  return {
    aid: entry.aid.toUpperCase(),
    kind: entry.securityDomain ? 'security domain' : 'application',
    depth,
    parent: entry.parent.toUpperCase(),
    stakeholder,
    lifeCycle: entry.lifeCycle,
    privileges: entry.privileges,
    usedBytes: Number(entry.usedBytes),
    quotaBytes: Number(entry.quotaBytes),
    keys: entry.keys.map(({ version, id, type, length, checkValue }) => ({
      version: version.toString(16).padStart(2, '0').toUpperCase(),
      id,
      type: keyTypeName(type, length),
      checkValue: toHex(checkValue),
    })),
  };
}

function formatCard(card: ShownCard): string {
  const { entries, memoryBytes, freeBytes } = card;
  const tree = entries.map(
    (one) =>
      [
        `${'  '.repeat(one.depth)}${one.aid}`,
        one.kind,
        one.stakeholder,
        one.lifeCycle,
        one.usedBytes,
        one.quotaBytes === 0 ? '' : String(one.quotaBytes),
      ] as const,
  );
  const keys = entries.flatMap((one) => groupKeys(one.keys).map((row) => [one.aid, ...row] as const));
  const privileged = entries.filter(({ privileges }) => privileges.length > 0);
  return [
    `card of     ${card.endpoint}`,
    `life cycle  ${card.lifeCycle}, revision ${card.revision}, receipts made ${card.receipts}`,
    `memory      ${memoryBytes - freeBytes} of ${memoryBytes} bytes used`,
    `load files  ${card.loadFiles.join(' ')}`,
    '',
    formatTable(['application', 'kind', 'stakeholder', 'life cycle', 'bytes', 'quota'], tree),
    '',
    formatTable(['keys of', 'version', 'identifiers', 'type', 'check values'], keys),
    '',
    ...privileged.map(({ aid, privileges }) => `${aid}  ${privileges.map(toWords).join(', ')}`),
  ].join('\n');
}

/** Keys of one version and type in one row. */
function groupKeys(keys: readonly ShownKey[]): readonly (readonly string[])[] {
  const groups = Map.groupBy(keys, ({ version, type }) => `${version} ${type}`);
  return [...groups.values()].map((group) => [
    group[0]?.version ?? '',
    group.map(({ id }) => id).join(' '),
    group[0]?.type ?? '',
    group.map(({ checkValue }) => checkValue).join(' '),
  ]);
}

function toWords(privilege: string): string {
  return privilege.toLowerCase().replaceAll('_', ' ');
}
