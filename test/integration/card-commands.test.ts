import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { LAYOUT_SETTINGS } from '../../services/cli/src/supervisor/layout.ts';
import { startFleet, startSystem, until, type RunningSystem } from './running-system.ts';

const METER = 'urn:dev:sefleet:meter-000001';
const COMMAND = 'services/cli/bin/sefleet.mjs';
let system: RunningSystem;
let environment: NodeJS.ProcessEnv;

before(async () => {
  system = await startSystem();
  await startFleet(system.backend, { meters: 1, obus: 0, gateways: 0 });
  const { layout } = system;
  const named = Object.entries(LAYOUT_SETTINGS).map(([name, { env }]) => [
    env,
    String(new Map<string, unknown>(Object.entries(layout)).get(name)),
  ]);
  environment = { ...process.env, ...Object.fromEntries(named) };
});
after(() => system.stop());

/** The command, as a person runs it: its exit code and what it printed. */
function sefleet(...args: readonly string[]): Promise<{ readonly code: number; readonly output: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [COMMAND, ...args], { env: environment }, (error, stdout, stderr) => {
      const code = typeof error?.code === 'number' ? error.code : error === null ? 0 : -1;
      resolve({ code, output: stdout + stderr });
    });
  });
}

interface TraceLine {
  readonly watching?: boolean;
  readonly door?: string;
  readonly hex?: string;
  readonly command?: string;
  readonly responseMeaning?: readonly string[];
}

test('a trace shows, live and in words, what the device, its key owners and a visitor ask of the card', async () => {
  const trace = spawn(process.execPath, [COMMAND, 'se', 'trace', METER, '--json'], {
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(trace, 'exit');
  const seen: TraceLine[] = [];
  createInterface({ input: trace.stdout }).on('line', (line) => seen.push(JSON.parse(line)));
  await until('the watch is there', async () => seen[0]?.watching === true);

  const apdu = await sefleet('se', 'apdu', METER, '00A4040000', '80CA006600');
  assert.equal(apdu.code, 0, apdu.output);
  assert.match(
    apdu.output,
    /GET DATA P1P2=0066\n {4}card recognition data\n.*\n {4}GlobalPlatform 2\.3\.1\n/u,
  );
  const renewal = await sefleet('keys', 'renew', '--party', 'northern-power', '--json');
  assert.equal(renewal.code, 0, renewal.output);
  const names = (door: string): readonly string[] =>
    seen
      .filter((line) => line.door === door)
      .map(({ command = '' }) => command.replace(/ (?:\(|on channel|P1P2).*/u, ''));
  await until(
    'readings and the new keys have passed',
    async () =>
      names('device').includes('SEAL') &&
      ['INITIALIZE UPDATE', 'EXTERNAL AUTHENTICATE', 'PUT KEY'].every((name) =>
        names('management').includes(name),
      ),
  );
  assert.deepEqual(names('visitor'), ['SELECT', 'GET DATA']);
  const told = seen.find(({ command = '' }) => command.startsWith('GET DATA P1P2=0066'));
  assert.ok(told?.responseMeaning?.includes('SCP03, i = 70'));
  // A reading goes to the card in the clear: its bytes are not in the trace.
  const sealing = seen.filter(({ command = '' }) => command.startsWith('SEAL'));
  assert.ok(
    sealing.every(({ hex, command = '' }) => hex?.length === 8 && / secret bytes not shown/u.test(command)),
  );
  trace.kill('SIGINT');
  assert.deepEqual(await ended, [0, null]);
});

test('a trace ends after so many exchanges, and says what it cannot watch', async () => {
  const some = await sefleet('se', 'trace', METER, '--count', '2', '--door', 'device');
  assert.equal(some.code, 0, some.output);
  assert.equal(some.output.match(/^> /gmu)?.length, 2);
  assert.equal((await sefleet('se', 'trace', 'nobody')).code, 2);
  assert.match((await sefleet('se', 'trace', METER, '--door', 'window')).output, /CLI_USAGE.*--door window/u);
});

test('a RACS request that the card or the server refuses ends with 2', async () => {
  const server = ['--server', `127.0.0.1:${system.layout.racsPort}`];
  const good = await sefleet('se', 'racs', ...server, 'LIST');
  assert.equal(good.code, 0, good.output);
  const unknown = await sefleet(
    'se',
    'racs',
    ...server,
    `POWERON ${METER}`,
    `APDU ${METER} 00A4040005F0F0F0F0F0 CONTINUE=9000`,
  );
  assert.equal(unknown.code, 2, unknown.output);
  assert.match(unknown.output, /^-006 002/mu);
  assert.equal((await sefleet('se', 'racs', ...server, 'NONSENSE')).code, 2);
});
