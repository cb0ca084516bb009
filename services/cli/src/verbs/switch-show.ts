import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { SefleetError } from '@sefleet/errors';
import { usageError, type Verb, type VerbArguments } from '../command-line.ts';
import { collectBundle, type Office } from '../switching/collect-bundle.ts';
import { findSwitch, switchName } from '../switching/find-switch.ts';
import { formatSwitch, switchFacts, switchRow, timeOf } from '../switching/switch-facts.ts';
import { withBackend } from './fleet.ts';
import { show } from './keys.ts';

const MAX_PAGE = 1000;

export const switchList: Verb = {
  name: 'switch list',
  summary: 'supplier switches of the running system, the last one first',
  options: {
    limit: { type: 'string', value: 'n', default: '20', doc: 'how many at the most' },
    json: { type: 'boolean', doc: 'as JSON' },
  },
  examples: ['sefleet switch list', 'sefleet switch list --limit 1000 --json'],
  run: (parsed) =>
    withBackend(async ({ switching: office }) => {
      const { switches } = await office.listSwitches({ limit: parsed.integer('limit', 1, MAX_PAGE) });
      if (parsed.flag('json')) console.log(JSON.stringify(switches.map(switchFacts)));
      else if (switches.length === 0)
        console.log('no switch was started yet; `sefleet switch start` does that');
      else show(parsed, switches.map(switchRow), LIST_COLUMNS);
    }),
};

export const switchShow: Verb = {
  name: 'switch show',
  summary: 'how a supplier switch stands: its pace, its pauses, its meters with their reasons',
  positionals: '<switch id, or last>',
  options: {
    meters: { type: 'boolean', doc: 'a page of its meters: states, reasons, details' },
    state: { type: 'string', value: 'list', doc: 'with --meters: only these, such as exception,rolled-back' },
    after: { type: 'string', value: 'endpoint', default: '', doc: 'with --meters: the page after this one' },
    limit: { type: 'string', value: 'n', default: '50', doc: 'with --meters: how many at the most' },
    json: { type: 'boolean', doc: 'as JSON' },
  },
  examples: [
    'sefleet switch show last',
    'sefleet switch show last --meters --state exception',
    'sefleet switch show last --meters --after urn:dev:sefleet:meter-000050 --json',
  ],
  run: async (parsed) => {
    const name = oneName(parsed);
    const limit = parsed.integer('limit', 1, MAX_PAGE);
    return withBackend(async ({ switching: office }) => {
      const switchId = await findSwitch(office, name);
      if (parsed.flag('meters')) return showMeters(office, switchId, limit, parsed);
      const state = await office.getSwitch({ switchId });
      if (parsed.flag('json')) console.log(JSON.stringify(switchFacts(state)));
      else console.log(formatSwitch(state));
    });
  },
};

export const switchEvidence: Verb = {
  name: 'switch evidence',
  summary: 'have the parties sign a switch that is over, and write its evidence bundle',
  positionals: '<switch id, or last>',
  options: { out: { type: 'string', value: 'file', default: 'bundle.json', doc: 'where the bundle goes' } },
  examples: ['sefleet switch evidence last --out bundle.json', 'sefleet report verify bundle.json'],
  run: async (parsed) => {
    const name = oneName(parsed);
    return withBackend(async ({ switching: office }) => {
      const switchId = await findSwitch(office, name);
      const { bundle } = await collectBundle(office, [switchId]);
      const file = resolve(parsed.text('out') ?? 'bundle.json');
      try {
        writeFileSync(file, JSON.stringify(bundle));
      } catch (cause) {
        const hint = 'Name a file in a folder that you may write to.';
        throw new SefleetError('CLI_USAGE', 'caller', `${file} cannot be written`, { cause, hint });
      }
      console.log(`${file}: ${bundle.meters.length} meters, root ${bundle.root}`);
    });
  },
};

async function showMeters(
  office: Office,
  switchId: string,
  limit: number,
  parsed: VerbArguments,
): Promise<void> {
  const states = (parsed.text('state') ?? '').split(',').filter((state) => state !== '');
  const after = parsed.text('after') ?? '';
  const page = { switchId, states, after, limit, withoutEvidence: true };
  const rows = [];
  for await (const { meters } of office.listMeterSwitches(page)) {
    for (const { endpoint, state, step, reason, detail, attempts, dueAt } of meters)
      rows.push({ endpoint, state, step, reason, tries: attempts, due: timeOf(dueAt), detail });
  }
  show(parsed, rows, METER_COLUMNS);
  const last = rows.at(-1)?.endpoint;
  if (!parsed.flag('json') && rows.length === limit && last !== undefined)
    console.log(`more may follow: --after ${last}`);
}

function oneName({ positionals }: VerbArguments): string {
  const [name, ...more] = positionals;
  if (more.length === 0) return switchName(name);
  throw usageError(`unexpected argument ${JSON.stringify(more[0])}`, 'One switch at a time.');
}

const LIST_COLUMNS = [
  'switch',
  'started',
  'what',
  'instant',
  'standing',
  'meters',
  'confirmed',
  'exceptions',
  'rolled back',
] as const;
const METER_COLUMNS = ['endpoint', 'state', 'step', 'reason', 'tries', 'due', 'detail'] as const;
