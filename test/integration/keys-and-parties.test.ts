import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect } from 'mqtt';
import { fleet, secureElement } from '@sefleet/api';
import { createGrpcClient, readTlsFiles, type TlsFiles } from '@sefleet/service';
import { startFleet, startSystem, until, type RunningSystem } from './running-system.ts';
import { sefleetCommand, type SefleetCommand } from './sefleet-command.ts';

const METER = 'urn:dev:sefleet:meter-000001';
const folder = mkdtempSync(join(tmpdir(), 'sefleet-keys-'));
let system: RunningSystem;
let command: SefleetCommand;

before(async () => {
  system = await startSystem();
  command = sefleetCommand(system.layout);
  await startFleet(system.backend, { meters: 4, obus: 0, gateways: 0 });
});
after(async () => {
  await system.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('the command shows who is what for a running meter, and takes a key along its life', async () => {
  const roles = await command.read<{ role: string; party: string }[]>('party', 'roles', METER);
  assert.equal(new Set(roles.map(({ role }) => role)).size, 10);
  const renewal = await command.read<{ version: number; rotationId: string }>(
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
  await command.run(['keys', 'suspend', 'record', '1', ...key]);
  await command.run(['keys', 'resume', 'record', '1', ...key]);
  const history = await command.read<{ to: string }[]>(
    'keys',
    'history',
    'record',
    '1',
    '--party',
    'household',
  );
  assert.deepEqual(
    history.map(({ to }) => to),
    ['initialised', 'active', 'suspended', 'active'],
  );
  assert.match(await command.run(['keys', 'destroy', 'domain', '2', ...key], 2), /CUSTODY_KEY_NOT_FOUND/);
  assert.match(await command.run(['keys', 'list'], 2), /--party is needed/);
});

test('a party gets a certificate, and loses it', async () => {
  await command.run(['party', 'add', 'moonlight-power', '--role', 'service-provider']);
  await command.run(['party', 'certificate', 'moonlight-power', '--out', folder]);
  assert.equal(statSync(join(folder, 'moonlight-power.key')).mode & 0o077, 0);
  assert.ok(existsSync(join(folder, 'ca.pem')));
  await opensNothingOfOthers(readTlsFiles(folder, 'moonlight-power'));
  await command.run(['revoke', 'party', 'moonlight-power', '--reason', 'never started']);
  assert.match(
    await command.run(['party', 'certificate', 'moonlight-power', '--out', folder], 2),
    /PROVISIONING_PARTY_REVOKED/,
  );
  const list = await command.read<{ subject: string }[]>('revoke', 'list');
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
  await command.run(['revoke', 'device', METER, '--reason', 'stolen']);
  assert.match(
    await command.run(['revoke', 'device', 'ghost', '--reason', 'x'], 2),
    /PROVISIONING_DEVICE_NOT_FOUND/,
  );
  const list = await command.read<{ subject: string; serialNumber: string }[]>('revoke', 'list');
  assert.match(list.find(({ subject }) => subject === METER)?.serialNumber ?? '', /^[0-9a-f]{16,}$/);
});
