import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect } from 'mqtt';
import { fleet, secureElement } from '@sefleet/api';
import { createGrpcClient, readTlsFiles, type TlsFiles } from '@sefleet/service';
import { LAYOUT_SETTINGS } from '../../services/cli/src/supervisor/layout.ts';
import { startFleet, startSystem, until, type RunningSystem } from './running-system.ts';

const METER = 'urn:dev:sefleet:meter-000001';
const folder = mkdtempSync(join(tmpdir(), 'sefleet-keys-'));
/** Variables by the names of their settings. */
const ENV: ReadonlyMap<string, string> = new Map(
  Object.entries(LAYOUT_SETTINGS).map(([name, { env }]) => [name, env]),
);
let system: RunningSystem;

before(async () => {
  system = await startSystem();
  await startFleet(system.backend, { meters: 4, obus: 0, gateways: 0 });
});
after(async () => {
  await system.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs the command against the system, as a person would; fails unless it ends with `expected`. */
function sefleet(args: readonly string[], expected = 0): Promise<string> {
  const layout = Object.entries(system.layout).map(([name, value]) => [ENV.get(name), String(value)]);
  const env = { ...process.env, ...Object.fromEntries(layout) };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['services/cli/bin/sefleet.mjs', ...args],
      { env },
      (error, stdout, stderr) => {
        const code = typeof error?.code === 'number' ? error.code : error === null ? 0 : -1;
        assert.equal(code, expected, `${args.join(' ')}: ${stdout} ${stderr}`);
        resolve(stdout + stderr);
      },
    );
  });
}

async function read<T>(...args: readonly string[]): Promise<T> {
  const parsed: T = JSON.parse(await sefleet([...args, '--json']));
  return parsed;
}

test('the command shows who is what for a running meter, and takes a key along its life', async () => {
  const roles = await read<{ role: string; party: string }[]>('party', 'roles', METER);
  assert.equal(new Set(roles.map(({ role }) => role)).size, 10);
  const renewal = await read<{ version: number; rotationId: string }>(
    'keys',
    'renew',
    '--party',
    'northern-power',
  );
  assert.equal(renewal.version, 2);
  await until('every meter has the new keys', async () => {
    const { rotation } = await system.backend.rotation.getRotation({ rotationId: renewal.rotationId });
    assert.deepEqual(rotation?.failures, []);
    return rotation?.done === true && rotation.confirmed === 4n;
  });
  const key = ['--party', 'household', '--reason', 'drill'];
  await sefleet(['keys', 'suspend', 'record', '1', ...key]);
  await sefleet(['keys', 'resume', 'record', '1', ...key]);
  const history = await read<{ to: string }[]>('keys', 'history', 'record', '1', '--party', 'household');
  assert.deepEqual(
    history.map(({ to }) => to),
    ['initialised', 'active', 'suspended', 'active'],
  );
  assert.match(await sefleet(['keys', 'destroy', 'domain', '2', ...key], 2), /CUSTODY_KEY_NOT_FOUND/);
  assert.match(await sefleet(['keys', 'list'], 2), /--party is needed/);
});

test('a party gets a certificate, and loses it', async () => {
  await sefleet(['party', 'add', 'moonlight-power', '--role', 'service-provider']);
  await sefleet(['party', 'certificate', 'moonlight-power', '--out', folder]);
  assert.equal(statSync(join(folder, 'moonlight-power.key')).mode & 0o077, 0);
  assert.ok(existsSync(join(folder, 'ca.pem')));
  await opensNothingOfOthers(readTlsFiles(folder, 'moonlight-power'));
  await sefleet(['revoke', 'party', 'moonlight-power', '--reason', 'never started']);
  assert.match(
    await sefleet(['party', 'certificate', 'moonlight-power', '--out', folder], 2),
    /PROVISIONING_PARTY_REVOKED/,
  );
  const list = await read<{ subject: string }[]>('revoke', 'list');
  assert.ok(list.some(({ subject }) => subject === 'moonlight-power'));
});

/** Telemetry, cards and rotations are everybody's: a party's certificate opens none of them. */
async function opensNothingOfOthers(tls: TlsFiles): Promise<void> {
  const { analyticsGrpcPort, simulationGrpcPort, mqttPort } = system.layout;
  const dashboard = createGrpcClient(fleet.FleetService, `127.0.0.1:${analyticsGrpcPort}`, tls);
  const cards = createGrpcClient(secureElement.SecureElementService, `127.0.0.1:${simulationGrpcPort}`, tls);
  const forbidden = { code: 'GRPC_CALLER_FORBIDDEN' };
  await assert.rejects(dashboard.queryTelemetry({ endpoint: METER }), forbidden);
  await assert.rejects(dashboard.startRotation({ requestId: 'r', stakeholder: 'household' }), forbidden);
  await assert.rejects(cards.exportImage({ endpoint: METER }), forbidden);
  dashboard.close();
  cards.close();
  const client = connect(`mqtts://localhost:${mqttPort}`, {
    ca: tls.authority,
    cert: tls.certificate,
    key: tls.privateKey,
    reconnectPeriod: 0,
  });
  await new Promise<void>((resolve) => client.once('close', () => resolve()));
  assert.equal(client.connected, false);
  await client.endAsync(true);
}

test('a revoked device gets no keys from provisioning any more', async () => {
  await sefleet(['revoke', 'device', METER, '--reason', 'stolen']);
  assert.match(
    await sefleet(['revoke', 'device', 'ghost', '--reason', 'x'], 2),
    /PROVISIONING_DEVICE_NOT_FOUND/,
  );
  const list = await read<{ subject: string; serialNumber: string }[]>('revoke', 'list');
  assert.match(list.find(({ subject }) => subject === METER)?.serialNumber ?? '', /^[0-9a-f]{16,}$/);
});
