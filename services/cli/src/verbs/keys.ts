import { timestampDate, type Timestamp } from '@bufbuild/protobuf/wkt';
import { parties } from '@sefleet/api';
import { usageError, type OptionDefinition, type Verb, type VerbArguments } from '../command-line.ts';
import { formatTable } from '../terminal/table.ts';
import { withBackend } from './fleet.ts';

const PARTY: OptionDefinition = {
  type: 'string',
  value: 'party',
  doc: 'whose key, for example northern-power',
};
const JSON_OUTPUT: OptionDefinition = { type: 'boolean', doc: 'as JSON' };
const WHICH = '<purpose> <version>';

export const keysList: Verb = {
  name: 'keys list',
  summary: 'the keys of a party: states, dates, fingerprints',
  options: { party: PARTY, json: JSON_OUTPUT },
  examples: ['sefleet keys list --party northern-power', 'sefleet keys list --party city-grid --json'],
  run: (parsed) =>
    withBackend(async (backend) => {
      const { keys } = await backend.keys.listKeys({ party: partyOf(parsed) });
      show(parsed, keys.map(toRow), KEY_COLUMNS);
    }),
};

export const keysHistory: Verb = {
  name: 'keys history',
  summary: 'what happened to a key, and why',
  positionals: WHICH,
  options: { party: PARTY, json: JSON_OUTPUT },
  examples: ['sefleet keys history domain 1 --party northern-power'],
  run: (parsed) =>
    withBackend(async (backend) => {
      const { events } = await backend.keys.getKeyHistory({ party: partyOf(parsed), ...keyOf(parsed) });
      const rows = events.map(({ at, from, to, reason }) => ({ at: dateOf(at), from, to, reason }));
      show(parsed, rows, ['at', 'from', 'to', 'reason']);
    }),
};

export const keysRenew: Verb = {
  name: 'keys renew',
  summary:
    "replace the keys of a party's Security Domains now, on all of its cards; with --purpose record its record key too",
  options: {
    party: PARTY,
    purpose: { type: 'string', value: 'name', default: 'domain', doc: 'domain or record' },
    json: JSON_OUTPUT,
  },
  examples: [
    'sefleet keys renew --party northern-power',
    'sefleet keys renew --party northern-power --purpose record',
  ],
  run: (parsed) =>
    withBackend(async (backend) => {
      const party = partyOf(parsed);
      const purpose = parsed.text('purpose') ?? '';
      const { key, rotationId } = await backend.keys.renewKey({ party, purpose });
      if (parsed.flag('json')) console.log(JSON.stringify({ ...toRow(key), rotationId }));
      else
        console.log(
          `${purpose} key ${key?.version} of ${party} goes to the cards; rotation ${rotationId || '-'}`,
        );
    }),
};

export const keysSuspend: Verb = change(
  'suspend',
  parties.KeyAction.SUSPEND,
  'stop the use of a key for now',
);
export const keysResume: Verb = change('resume', parties.KeyAction.RESUME, 'use a suspended key again');
export const keysRevoke: Verb = change('revoke', parties.KeyAction.REVOKE, 'stop the use of a key for good');
export const keysDestroy: Verb = change(
  'destroy',
  parties.KeyAction.DESTROY,
  'wipe a revoked key that no card holds; there is no way back',
);

const KEY_COLUMNS = ['purpose', 'version', 'state', 'created', 'expires', 'fingerprint'] as const;

function change(word: string, action: parties.KeyAction, summary: string): Verb {
  return {
    name: `keys ${word}`,
    summary,
    positionals: WHICH,
    options: {
      party: PARTY,
      reason: { type: 'string', value: 'text', doc: 'why; it stands in the history' },
      json: JSON_OUTPUT,
    },
    examples: [`sefleet keys ${word} record 1 --party northern-power --reason "drill"`],
    run: (parsed) =>
      withBackend(async (backend) => {
        const reason = parsed.text('reason') ?? '';
        if (reason === '') throw usageError('--reason is needed', 'Say why: it stands in the history.');
        const request = { party: partyOf(parsed), ...keyOf(parsed), action, reason };
        const { key } = await backend.keys.changeKeyState(request);
        show(parsed, [toRow(key)], KEY_COLUMNS);
      }),
  };
}

function partyOf(parsed: VerbArguments): string {
  const party = parsed.text('party');
  if (party !== undefined && party !== '') return party;
  throw usageError('--party is needed', '`sefleet party list` tells who there is.');
}

function keyOf({ positionals }: VerbArguments): { readonly purpose: string; readonly version: number } {
  const [purpose, version, ...more] = positionals;
  if (purpose === undefined || !/^[1-9]\d{0,5}$/.test(version ?? '') || more.length > 0) {
    throw usageError(
      'a purpose and a version are needed',
      'For example `domain 1`; see `sefleet keys list`.',
    );
  }
  return { purpose, version: Number(version) };
}

function toRow(key: parties.Key | undefined) {
  return {
    purpose: key?.purpose ?? '',
    version: key?.version ?? 0,
    state: key?.state ?? '',
    created: dateOf(key?.createdAt),
    expires: key?.expiresAt === undefined ? 'never' : dateOf(key.expiresAt),
    fingerprint: key?.fingerprint ?? '',
  };
}

/** Prints rows as a table or as JSON. */
export function show<K extends string>(
  parsed: VerbArguments,
  rows: readonly Readonly<Record<K, string | number>>[],
  columns: readonly K[],
): void {
  if (parsed.flag('json')) console.log(JSON.stringify(rows));
  else
    console.log(
      formatTable(
        [...columns],
        rows.map((row) => columns.map((column) => row[column])),
      ),
    );
}

/** A time as people read it; `-` for none. */
export function dateOf(timestamp: Timestamp | undefined): string {
  return timestamp === undefined ? '-' : timestampDate(timestamp).toISOString();
}
