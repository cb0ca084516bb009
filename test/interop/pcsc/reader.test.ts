import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startFleet, startSystem, until, type RunningSystem } from '../../integration/running-system.ts';

const DRIVER = '/usr/lib/pcsc/drivers/serial/libifdvpcd.so';
const PCSCD = '/usr/sbin/pcscd';
const CARD = 'urn:dev:sefleet:meter-000001';
const SELECT_ISSUER = '00:A4:04:00:08:A0:00:00:01:51:00:00:00:00';

const missing = whyNot();
const options = missing === undefined ? {} : { skip: missing };

let system: RunningSystem;
let folder: string;
const children: ChildProcess[] = [];

/** Why this machine cannot run the test, if it cannot. */
function whyNot(): string | undefined {
  if (!existsSync(DRIVER)) return 'vsmartcard-vpcd is not installed';
  if (!existsSync(PCSCD)) return 'pcscd is not installed';
  if (process.getuid?.() !== 0) return 'only root may start pcscd';
  return spawnSync('pgrep', ['-x', 'pcscd']).status === 0 ? 'a pcscd of somebody else is running' : undefined;
}

async function twoFreePorts(): Promise<number> {
  for (;;) {
    const first = createServer().listen(0, '127.0.0.1');
    await once(first, 'listening');
    const address = first.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const second = createServer().listen(port + 1, '127.0.0.1');
    const free = await Promise.race([
      once(second, 'listening').then(() => true),
      once(second, 'error').then(() => false),
    ]);
    first.close();
    second.close();
    if (free) return port;
  }
}

function run(program: string, args: readonly string[], input = ''): string {
  const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', input, timeout: 20_000 });
  return `${stdout}\n${stderr}`;
}

before(async () => {
  if (missing !== undefined) return;
  system = await startSystem();
  await startFleet(system.backend, { meters: 1, obus: 0, gateways: 0 });
  folder = mkdtempSync(join(tmpdir(), 'sefleet-pcsc-'));
  const port = await twoFreePorts();
  const { layout } = system;
  const attach = spawn(
    process.execPath,
    ['services/cli/bin/sefleet.mjs', 'se', 'attach', CARD, '--vpcd', '--listen', '--port', String(port)],
    {
      env: {
        ...process.env,
        SEFLEET_DATA: layout.dataFolder,
        SEFLEET_ANALYTICS_GRPC_PORT: String(layout.analyticsGrpcPort),
        SEFLEET_SIMULATION_GRPC_PORT: String(layout.simulationGrpcPort),
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  children.push(attach);
  await once(attach.stdout, 'data');
  mkdirSync(join(folder, 'readers'));
  writeFileSync(
    join(folder, 'readers', 'vpcd'),
    `FRIENDLYNAME "sefleet"\nDEVICENAME 127.0.0.1:${port}\nLIBPATH ${DRIVER}\nCHANNELID 0x8C7B\n`,
  );
  children.push(spawn(PCSCD, ['-f', '-c', join(folder, 'readers')], { stdio: 'ignore' }));
  await until(
    'the reader shows the card',
    () => Promise.resolve(/Yes .*sefleet/.test(run('opensc-tool', ['-l']))),
    20_000,
  );
});

after(async () => {
  for (const child of children.toReversed()) {
    if (child.exitCode !== null) continue;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }
  if (missing !== undefined) return;
  await system.stop();
  rmSync(folder, { recursive: true, force: true });
});

test(
  'opensc-tool reads the ATR and selects the Issuer Security Domain of a card of the fleet',
  options,
  (t) => {
    if (spawnSync('which', ['opensc-tool']).status !== 0) return t.skip('opensc-tool is not installed');
    assert.match(run('opensc-tool', ['-r', '0', '-a']), /3b:88:81:31:fe:73:65:66:6c:65:65:74:31/i);
    const answer = run('opensc-tool', ['-r', '0', '-s', SELECT_ISSUER, '-s', '80:CA:9F:7F:00']);
    assert.match(answer, /SW1=0x90, SW2=0x00[^]*9F 7F 2A/);
  },
);

test('pcsc_scan sees the card', options, (t) => {
  if (spawnSync('which', ['pcsc_scan']).status !== 0) return t.skip('pcsc_scan is not installed');
  const { stdout } = spawnSync('timeout', ['3', 'pcsc_scan', '-n'], { encoding: 'utf8' });
  assert.match(stdout, /3B 88 81 31 FE 73 65 66 6C 65 65 74 31/);
});

test('pyscard exchanges APDUs with the card', options, (t) => {
  const script = [
    'from smartcard.System import readers',
    'c = readers()[0].createConnection()',
    'c.connect()',
    'd, sw1, sw2 = c.transmit([0x00, 0xA4, 0x04, 0x00, 0x08, 0xA0, 0, 0, 1, 0x51, 0, 0, 0, 0])',
    'print("%02X%02X" % (sw1, sw2), bytes(d[:2]).hex())',
    'd, sw1, sw2 = c.transmit([0x80, 0x50, 0x00, 0x00, 0x08, 1, 2, 3, 4, 5, 6, 7, 8, 0x00])',
    'print("%02X%02X" % (sw1, sw2), len(d))',
  ].join('\n');
  if (spawnSync('/usr/bin/python3', ['-c', 'import smartcard']).status !== 0)
    return t.skip('pyscard is not installed');
  const output = run('/usr/bin/python3', ['-c', script]);
  assert.match(output, /9000 6f/);
  assert.match(output, /9000 32/);
});
