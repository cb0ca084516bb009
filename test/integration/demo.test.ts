import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const folder = mkdtempSync(join(tmpdir(), 'sefleet-demo-'));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command as a person would, to its end. */
function sefleet(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['services/cli/bin/sefleet.mjs', ...args],
      { env: { ...process.env, ...environment }, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        resolve({
          code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1,
          stdout,
          stderr,
        });
      },
    );
  });
}

test('the main job runs from end to end and both sides agree', async () => {
  const out = join(folder, 'out.json');
  const ended = await sefleet([
    'demo',
    '--meters',
    '6',
    '--obus',
    '2',
    '--gateways',
    '2',
    '--duration',
    '6',
    '--seed',
    '7',
    '--json',
    out,
  ]);
  assert.equal(ended.code, 0, `${ended.stdout}\n${ended.stderr}`);
  const summary: unknown = JSON.parse(readFileSync(out, 'utf8'));
  assert.partialDeepStrictEqual(summary, {
    devices: {
      total: 10,
      bootstrapped: 10,
      registered: 10,
      byKind: { 'smart-meter': { total: 6, registered: 6 }, obu: { total: 2 }, 'rpm-gateway': { total: 2 } },
    },
    dtls: { failed: 0, cipherSuites: { TLS_PSK_WITH_AES_128_CCM_8: 20 } },
    rotation: { attempted: 10, confirmed: 10, oldKeyRefused: 10, failed: 0 },
    telemetry: { lost: 0, duplicated: 0 },
    disagreements: [],
    seed: 7,
  });
  assert.match(ended.stdout, /10 of 10 rotated and confirmed/);
});

test('a port in use is one clear line that names the setting, and a documented exit code', async () => {
  const holder = createSocket('udp4').bind(0, '127.0.0.1');
  await once(holder, 'listening');
  const ended = await sefleet(['up', '--data', join(folder, 'up')], {
    SEFLEET_LWM2M_PORT: String(holder.address().port),
    SEFLEET_BOOTSTRAP_PORT: '0',
    SEFLEET_MQTT_PORT: '0',
    SEFLEET_CONSOLE_PORT: '0',
    SEFLEET_RACS_PORT: '0',
    SEFLEET_PROVISIONING_GRPC_PORT: '0',
    SEFLEET_LWM2M_GRPC_PORT: '0',
    SEFLEET_ANALYTICS_GRPC_PORT: '0',
    SEFLEET_SIMULATION_GRPC_PORT: '0',
  });
  holder.close();
  assert.equal(ended.code, 3, ended.stderr);
  assert.match(ended.stderr, /SEFLEET_LWM2M_PORT/);
  assert.doesNotMatch(ended.stderr, /at .*\.ts:\d+/);
});

test('impossible settings and options end with exit code 2 and the fix', async () => {
  const setting = await sefleet(['up'], { SEFLEET_LWM2M_PORT: '70000' });
  assert.equal(setting.code, 2);
  assert.match(setting.stderr, /SEFLEET_LWM2M_PORT="70000" is not a whole number in 0\.\.65535/);
  const option = await sefleet(['demo', '--meters', 'many']);
  assert.equal(option.code, 2);
  assert.match(option.stderr, /--meters many/);
  const unknown = await sefleet(['fly']);
  assert.equal(unknown.code, 2);
});
