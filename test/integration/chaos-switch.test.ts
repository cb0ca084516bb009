import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';

const COMMAND = resolve('services/cli/bin/sefleet.mjs');
const folder = mkdtempSync(join(tmpdir(), 'sefleet-chaos-'));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command in a folder of its own. */
function chaos(options: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const env = { ...process.env, ...environment };
  return new Promise((done) => {
    execFile(
      process.execPath,
      [COMMAND, 'rehearse', 'chaos', ...options],
      { cwd: folder, env },
      (error, stdout, stderr) => {
        done({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
      },
    );
  });
}

// The seeds are ones whose kills fall on different services; that of the last one falls while meters are put up.
for (const [ground, meters, seed, services] of [
  ['light', 15, 2, ['provisioning', 'rehearsal-ground']],
  ['live', 6, 30, ['provisioning', 'supplier:sunrise-energy']],
  ['live', 6, 219, ['device-sim']],
] as const) {
  test(`switches on the ${ground} ground (seed ${seed}) keep every invariant, though ${services.join(', ')} is killed`, async () => {
    const runs = String(services.length);
    const options = ['--ground', ground, '--meters', String(meters), '--seed', String(seed), '--runs', runs];
    const { code, stdout, stderr } = await chaos([...options, '--parallel', runs, '--json']);
    equal(code, 0, stderr);
    const summary = JSON.parse(stdout);
    deepEqual([summary.held, summary.runs], [services.length, services.length]);
    deepEqual(
      summary.services.map(({ service }: { service: string }) => service),
      services,
    );
    for (const { fallen, switched } of summary.results) {
      ok(switched > meters / 2, stdout);
      ok(fallen[0].share >= 0 && fallen[0].share <= 1 && fallen[0].downMs > 0, stdout);
    }
    deepEqual(readdirSync(join(folder, '.sefleet')), [], 'nothing is left of runs that held');
  });
}

test('a run that does not come to its end counts as broken, and its databases and logs are kept', async () => {
  const { code, stdout } = await chaos(['--ground', 'light', '--runs', '1'], { SEFLEET_KEY_DAYS: 'many' });
  equal(code, 5);
  match(stdout, /seed 1: BROKEN/);
  match(stdout, /CLI_USAGE: SEFLEET_KEY_DAYS="many" is not a whole number/);
  match(stdout, /0 of 1 runs/);
  const [, kept = ''] = /databases and logs: (.*)/.exec(stdout) ?? [];
  ok(existsSync(join(kept, 'provisioning.log')), kept);
  rmSync(kept, { recursive: true });
});

test('what cannot be run is refused before anything starts, with what was expected', async () => {
  for (const [options, message] of [
    [['--runs', 'x'], /--runs x is not a whole number in 1\.\./],
    [['--runs', '0'], /--runs 0 is not/],
    [['--meters', '1'], /--meters 1 is not a whole number in 2\.\./],
    [['--ground', 'moon'], /--ground moon is none of live, light/],
    [['--verb', 'steal'], /--verb steal is none of switch/],
    [['--parallel', '1.5'], /--parallel 1\.5 is not/],
    [['--kills', '-1'], /kills/],
    [['--run', '3'], /--run/],
    [['3'], /unexpected argument "3"/],
  ] as const) {
    const { code, stderr } = await chaos(options);
    equal(code, 2, options.join(' '));
    match(stderr, message);
    match(stderr, /rehearse chaos --help/);
  }
});
