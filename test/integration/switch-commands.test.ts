import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { compareLedgers } from '../../services/cli/src/demo/ledger.ts';
import { startFleet, startSystem, until, type RunningSystem } from './running-system.ts';
import { sefleetCommand, type SefleetCommand } from './sefleet-command.ts';

const METERS = 6;
const meter = (number: number): string => `urn:dev:sefleet:meter-00000${number}`;
const folder = mkdtempSync(join(tmpdir(), 'sefleet-switch-'));
let system: RunningSystem;
let command: SefleetCommand;

interface Shown {
  readonly switchId: string;
  readonly standing: string;
  readonly states: Readonly<Record<string, number>>;
  readonly ratePerMinute: number;
  readonly waves: readonly number[];
  readonly interruptions: readonly { readonly from: string; readonly until: string }[];
}

before(async () => {
  system = await startSystem();
  command = sefleetCommand(system.layout);
  await startFleet(system.backend, { meters: METERS, obus: 0, gateways: 0 });
});
after(async () => {
  await system.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function untilDone(switchId: string): Promise<Shown> {
  await until('the switch is over', async () => {
    const { done } = await system.backend.switching.getSwitch({ switchId });
    return done;
  });
  return command.read<Shown>('switch', 'show', switchId);
}

test('running meters are moved by the command: paced, paused, one taken back, and proven', async () => {
  const parties = ['--from', 'northern-power', '--to', 'sunrise-energy'];
  const pacing = ['--rate', '120', '--waves', '20%,rest', '--request-id', 'monday'];
  const started = await command.read<Shown>('switch', 'start', ...parties, '--at', '+30s', ...pacing);
  const { switchId } = started;
  const again = await command.read<Shown>('switch', 'start', ...parties, '--at', '+30s', ...pacing);
  assert.equal(again.switchId, switchId, 'started once only');
  await command.run(['switch', 'pause', 'last']);
  const paused = await command.read<Shown>('switch', 'show', switchId);
  assert.deepEqual([paused.standing, paused.ratePerMinute, paused.waves], ['paused', 120, [20]]);
  const file = join(folder, 'objections');
  writeFileSync(file, `# of this morning\n${meter(3)}\n`);
  assert.match(await command.run(['switch', 'object', switchId, '--file', file]), /1 meters go back/);
  await command.run(['switch', 'resume', 'last']);
  const { states, interruptions } = await untilDone(switchId);
  assert.deepEqual(states, { confirmed: METERS - 1, 'rolled-back': 1 });
  assert.equal(interruptions.length, 1);
  assert.ok((interruptions[0]?.until ?? '') > (interruptions[0]?.from ?? ''));

  const page = ['switch', 'show', switchId, '--meters'];
  const back = await command.read<{ endpoint: string; reason: string }[]>(...page, '--state', 'rolled-back');
  assert.deepEqual(
    back.map(({ endpoint, reason }) => [endpoint, reason]),
    [[meter(3), 'objection']],
  );
  assert.match(await command.run([...page, '--limit', '2']), new RegExp(`--after ${meter(2)}`));
  const rest = await command.read<{ endpoint: string }[]>(...page, '--after', meter(2), '--limit', '2');
  assert.deepEqual(
    rest.map(({ endpoint }) => endpoint),
    [meter(3), meter(4)],
  );
  const bundle = join(folder, 'bundle.json');
  await command.run(['switch', 'evidence', switchId, '--out', bundle]);
  await command.run(['report', 'verify', bundle]);
  assert.match(await command.run(['switch', 'pause', switchId], 2), /SWITCH_OVER_PRECONDITION/);
  assert.match(await command.run(['switch', 'list']), new RegExp(`${switchId}.*done.*5`));
});

test('a switch goes on at its pace when provisioning is killed, and no reading is lost', async () => {
  const parties = ['--from', 'sunrise-energy', '--to', 'harbour-light', meter(1), meter(2), meter(4)];
  const wait = command.run(['switch', 'start', ...parties, '--at', '+25s', '--rate', '30', '--wait']);
  wait.catch(() => undefined);
  await until('it has begun', async () => {
    const { switches } = await system.backend.switching.listSwitches({ limit: 1 });
    return switches[0]?.toSupplier === 'harbour-light' && switches[0].begun > 0n;
  });
  const pid = system.supervisor.pids().get('provisioning');
  assert.ok(pid !== undefined);
  process.kill(pid, 'SIGKILL');
  assert.match(await wait, /3 confirmed/, 'who waits for it sees it through');
  const { drained } = await system.backend.simulation.drainFleet(
    { timeoutMs: 60_000 },
    { deadlineMs: 70_000 },
  );
  assert.equal(drained, true);
  await until('every record is stored', async () => (await compareLedgers(system.backend)).lost === 0);
  const { duplicated, unexpected } = await compareLedgers(system.backend);
  assert.deepEqual({ duplicated, unexpected }, { duplicated: 0, unexpected: 0 });
});

test('what no switch can be is refused with the way out', async () => {
  const start = ['switch', 'start', '--from', 'northern-power', '--to', 'sunrise-energy'];
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [[...start, '--at', '2020-01-01T00:00Z'], /does not lie ahead/],
    [[...start, '--at', '+1m', 'ghost'], /ghost is not served/],
    [[...start, '--at', '+1m', '--market', 'FR'], /Known are DE/],
    [
      ['switch', 'start', '--from', 'northern-power', '--to', 'nobody', '--at', '+1m'],
      /nobody is no supplier/,
    ],
    [['switch', 'show', 'ghost'], /SWITCH_NOT_FOUND/],
    [['switch', 'show', 'last', '--meters', '--state', 'lost'], /Its states are planned/],
    [['switch', 'evidence', 'last', '--out', '/proc/nowhere'], /cannot be written/],
  ];
  for (const [args, expected] of cases) assert.match(await command.run(args, 2), expected, args.join(' '));
});
