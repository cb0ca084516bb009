import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

const folder = mkdtempSync(join(tmpdir(), 'sefleet-rehearsal-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the command as a person would; its exit code and what it printed. */
function sefleet(...args: readonly string[]): Promise<{ readonly code: number; readonly stdout: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['services/cli/bin/sefleet.mjs', ...args], (error, stdout) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout });
    });
  });
}

test('a supplier switch is rehearsed with faults and a killed service, and its evidence verifies', async () => {
  const out = join(folder, 'report');
  const faults =
    'offline=20%,lost-ack=20%,power-cut=20%,duplicate=10%,replay=10%,drift=20%,swap=10%,tsm-preload=10%';
  const options = ['--meters', '20', '--faults', faults, '--kill-after', '700', '--seed', '5', '--out', out];
  options.push('--ground', 'light', '--waves', '10%,rest', '--rate', '60', '--pause-at', '50%');
  const { code, stdout } = await sefleet('rehearse', 'supplier-switch', ...options, '--json');
  assert.equal(code, 0, stdout);
  const summary = JSON.parse(stdout);
  assert.deepEqual(summary, JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8')));
  assert.deepEqual(
    summary.invariants.filter(({ holds }: { holds: boolean }) => !holds),
    [],
  );
  assert.equal(summary.gapWh + summary.overlapWh + summary.residualWh + summary.canaryHits, 0);
  assert.ok(summary.switched >= 10);
  const [{ begunPerMinuteMax, waves, interruptions }] = summary.course;
  assert.ok(begunPerMinuteMax <= 60);
  assert.ok(waves[0].preparedAt < waves[1].preparedAt);
  assert.ok(interruptions[0].from < interruptions[0].until);
  assert.equal((await sefleet('report', 'verify', out)).code, 0);
});

test('on the real services accounts and records move, though a server is killed in the middle', async () => {
  const out = join(folder, 'live');
  const where = ['--kill', 'lwm2m-server', '--kill-after', '2500', '--out', out];
  const options = ['--meters', '6', '--faults', 'lost-ack=30%,drift=30%,swap=10%', '--seed', '4'];
  const { code, stdout } = await sefleet('rehearse', 'supplier-switch', ...options, ...where, '--json');
  assert.equal(code, 0, stdout);
  const { switched, timingsMs, invariants } = JSON.parse(stdout);
  assert.ok(switched >= 4);
  assert.ok(timingsMs.registeredWithBoth.p50 > 0);
  const names: string[] = invariants.map(({ name }: { name: string }) => name);
  assert.ok(names.includes("every record reached the server of its supplier once, and no other's"));
  assert.equal((await sefleet('report', 'verify', out)).code, 0);
});

for (const [instant, day, quarters] of [
  ['2027-03-28T03:00+02:00', '2027-03-28', 92],
  ['2027-10-31T03:00+01:00', '2027-10-31', 100],
] as const) {
  test(`on a day of ${quarters} quarters of an hour each has its reading, and registers roll over`, async () => {
    const out = join(folder, day);
    const when = [
      '--ground',
      'light',
      '--cut-over',
      instant,
      '--market',
      'DE',
      '--window',
      '26',
      '--compress',
      '600',
    ];
    const options = [
      ...when,
      '--ground',
      'light',
      '--meters',
      '4',
      '--faults',
      'rollover=50%,drift=50%',
      '--seed',
      '6',
    ];
    const { code, stdout } = await sefleet('rehearse', 'supplier-switch', ...options, '--out', out, '--json');
    assert.equal(code, 0, stdout);
    const { switched, gapWh, overlapWh, residualWh, faults } = JSON.parse(stdout);
    assert.deepEqual([switched, gapWh, overlapWh, residualWh], [4, 0, 0, 0]);
    assert.ok(faults.some(({ fault }: { fault: string }) => fault === 'rollover'));
    const local = new Intl.DateTimeFormat('sv-SE', { timeZone: 'Europe/Berlin', dateStyle: 'short' });
    const lines = readFileSync(join(out, 'intervals.csv'), 'utf8').trim().split('\r\n').slice(1);
    const ofTheDay = lines
      .map((line) => line.slice(1, -1).split('","'))
      .filter(([end = '']) => local.format(Date.parse(end) - 1) === day);
    assert.equal(ofTheDay.length, quarters);
    assert.ok(ofTheDay.every(([, expected, received]) => expected === '4' && received === '4'));
  });
}

test('evidence that was touched does not verify', async () => {
  const path = join(folder, 'touched.json');
  const text = readFileSync(join(folder, 'report', 'bundle.json'), 'utf8');
  writeFileSync(path, text.replace('"sw":"6', '"sw":"9'));
  assert.equal((await sefleet('report', 'verify', path)).code, 5);
});

test('what is no bundle is refused, however it is none', async () => {
  const none = join(folder, 'none.json');
  for (const text of ['', 'null', '[]', '{"format":"sefleet-evidence-bundle-2"', '['.repeat(100_000)]) {
    writeFileSync(none, text);
    assert.equal((await sefleet('report', 'verify', none)).code, 2, text.slice(0, 50));
  }
  assert.equal((await sefleet('report', 'verify', '/dev/zero')).code, 2);
  assert.equal((await sefleet('report', 'verify', join(folder, 'nowhere'))).code, 2);
});

test('a bundle of another authority does not verify for those who name theirs', async () => {
  const bundle = JSON.parse(readFileSync(join(folder, 'report', 'bundle.json'), 'utf8'));
  const own = join(folder, 'own.pem');
  writeFileSync(own, bundle.authority);
  assert.equal((await sefleet('report', 'verify', join(folder, 'report'), '--authority', own)).code, 0);
  const other = join(folder, 'other.pem');
  writeFileSync(other, JSON.parse(readFileSync(join(folder, 'live', 'bundle.json'), 'utf8')).authority);
  assert.equal((await sefleet('report', 'verify', join(folder, 'report'), '--authority', other)).code, 5);
  writeFileSync(other, 'no certificate');
  assert.equal((await sefleet('report', 'verify', join(folder, 'report'), '--authority', other)).code, 2);
});

test('what cannot be rehearsed or reported is refused before anything is made', async () => {
  const file = join(folder, 'a-file');
  writeFileSync(file, '');
  const before = existsSync('.sefleet') ? readdirSync('.sefleet') : [];
  for (const options of [
    ['--out', file],
    ['--out', join(file, 'below')],
    ['--out', '/proc/nowhere'],
    ['--market', 'FR'],
    ['--from', 'sunrise-energy'],
    ['--kill', 'nothing'],
    ['--faults', 'leap=10%'],
  ]) {
    const { code } = await sefleet(
      'rehearse',
      'supplier-switch',
      '--out',
      join(folder, 'refused'),
      ...options,
    );
    assert.equal(code, 2, options.join(' '));
  }
  assert.deepEqual(existsSync('.sefleet') ? readdirSync('.sefleet') : [], before);
});

test('an interruption while the services start leaves nothing behind', async () => {
  const where = join(folder, 'interrupted');
  mkdirSync(where);
  const command = [join(process.cwd(), 'services/cli/bin/sefleet.mjs'), 'rehearse', 'supplier-switch'];
  const child = spawn(process.execPath, command, { cwd: where, stdio: 'ignore' });
  const work = join(where, '.sefleet');
  while (!existsSync(work) || readdirSync(work).length === 0) await pause(5);
  child.kill('SIGINT');
  const [code] = await once(child, 'exit');
  assert.equal(code, 130);
  assert.deepEqual(readdirSync(work), []);
});

test('a supplier that nobody knows is refused before a card is made', async () => {
  const { code, stdout } = await sefleet('rehearse', 'supplier-switch', '--from', 'nothern-power');
  assert.equal(code, 2);
  assert.ok(!stdout.includes('making'));
});

for (const [verb, switches] of [
  ['back-to-back', 2],
  ['erroneous-transfer', 2],
  ['forced-switch', 1],
  ['object', 1],
] as const) {
  test(`${verb} is rehearsed as ${switches} switch(es), and every invariant holds`, async () => {
    const out = join(folder, verb);
    const faults = 'lost-ack=20%,power-cut=20%,swap=10%';
    const options = ['--meters', '10', '--verb', verb, '--faults', faults, '--seed', '2', '--out', out];
    options.push('--ground', 'light');
    const { code, stdout } = await sefleet('rehearse', 'supplier-switch', ...options, '--json');
    assert.equal(code, 0, stdout);
    const bundle = JSON.parse(readFileSync(join(out, 'bundle.json'), 'utf8'));
    assert.equal(bundle.switches.length, switches);
    const span = bundle.switches.at(-1).cutOverAt - bundle.switches[0].cutOverAt;
    assert.ok(span < 86_400_000, 'within a day');
    const { switched, rolledBack, exceptions } = JSON.parse(stdout);
    assert.ok(switched >= 7, stdout);
    assert.equal(rolledBack > 0, verb === 'object');
    const failed = Object.values<number>(exceptions).reduce((sum, n) => sum + n, 0);
    assert.equal(switched + rolledBack + failed, 10);
  });
}

for (const [story, devices, giver] of [
  ['insurer-change', 'obus', 'vehicle-owner'],
  ['provider-change', 'kits', 'carekit-leasing'],
] as const) {
  test(`${story} is rehearsed on the word of ${giver}, and its evidence verifies`, async () => {
    const out = join(folder, story);
    const options = [`--${devices}`, '8', '--faults', 'lost-ack=20%,power-cut=20%', '--out', out, '--json'];
    const { code, stdout } = await sefleet('rehearse', story, ...options);
    assert.equal(code, 0, stdout);
    assert.equal(JSON.parse(stdout).switched, 8);
    const bundle = JSON.parse(readFileSync(join(out, 'bundle.json'), 'utf8'));
    assert.ok(bundle.meters.every((meter: { mandate: { party: string } }) => meter.mandate.party === giver));
    assert.equal((await sefleet('report', 'verify', out)).code, 0);
  });
}

for (const [ground, verb, switches] of [
  ['light', 'add', 1],
  ['light', 'add-and-remove', 2],
  ['live', 'remove', 2],
] as const) {
  test(`an insurer comes beside another and one goes, on the ${ground} ground: ${verb}`, async () => {
    const out = join(folder, `insurers-${ground}-${verb}`);
    const faults = ['--faults', 'offline=30%,lost-ack=30%'];
    const where = ['--obus', '4', '--ground', ground, '--verb', verb, '--out', out, '--json'];
    const { code, stdout } = await sefleet('rehearse', 'insurer-change', ...where, ...faults);
    assert.equal(code, 0, stdout);
    const summary = JSON.parse(stdout);
    assert.deepEqual([summary.switched, summary.gapWh, summary.residualWh, summary.canaryHits], [4, 0, 0, 0]);
    const bundle = JSON.parse(readFileSync(join(out, 'bundle.json'), 'utf8'));
    assert.equal(bundle.switches.length, switches);
    assert.equal((await sefleet('report', 'verify', out)).code, 0);
  });
}

test('a kit is leased again on the live ground, and its evidence verifies', async () => {
  const out = join(folder, 'kits-live');
  const options = ['--kits', '3', '--ground', 'live', '--out', out, '--json'];
  const { code, stdout } = await sefleet('rehearse', 'provider-change', ...options);
  assert.equal(code, 0, stdout);
  assert.equal(JSON.parse(stdout).switched, 3);
  assert.equal((await sefleet('report', 'verify', out)).code, 0);
});

test('what nobody can rehearse is refused before anything starts', async () => {
  for (const args of [
    ['--faults', 'meteor=1%'],
    ['--meters', '0'],
    ['--at', 'noon'],
    ['--verb', 'steal'],
  ]) {
    assert.equal((await sefleet('rehearse', 'supplier-switch', ...args)).code, 2, args.join(' '));
  }
  assert.equal((await sefleet('report', 'verify', join(folder, 'nothing.json'))).code, 2);
});
