import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { common, management } from '@sefleet/api';
import { createGrpcClient, readTlsFiles, type GrpcClient } from '@sefleet/service';
import {
  onFreePorts,
  pkiFolder,
  readLayout,
  serviceEnvironment,
  type Layout,
} from '../../../services/cli/src/supervisor/layout.ts';
import { startSystem, until, untilRegistered, type RunningSystem } from '../running-system.ts';

const METER = 'urn:dev:sefleet:meter-000001';
const SECOND_METER = 'urn:dev:sefleet:meter-000002';
const GATEWAY = 'urn:dev:sefleet:gateway-000001';
const DEVICES = 3;
const AWAKE_MS = 1000;
const INTERVAL_MS = 5000;
/** Rights in object 2: read, write, execute. */
const ALL = 7;
const READ = 1;
const folder = mkdtempSync(join(tmpdir(), 'sefleet-behaviour-'));
let system: RunningSystem;
let second: { readonly process: ChildProcess; readonly client: GrpcClient<Management> };

type Management = typeof management.DeviceManagementService;

before(async () => {
  const spare = await onFreePorts(readLayout({}));
  const templates = join(folder, 'templates.json');
  writeFileSync(templates, JSON.stringify(templatesFor(spare.lwm2mPort)));
  process.env['SEFLEET_BOOTSTRAP_TEMPLATES'] = templates;
  process.env['SEFLEET_LWM2M_AWAKE_MS'] = String(AWAKE_MS);
  system = await startSystem();
  second = await startSecondServer(spare, system.layout);
  const kinds = [
    { kind: common.DeviceKind.SMART_METER, count: 2, readingIntervalMs: INTERVAL_MS },
    { kind: common.DeviceKind.RPM_GATEWAY, count: 1, readingIntervalMs: INTERVAL_MS },
  ];
  const connectivity = { queueMode: true };
  await system.backend.simulation.startFleet({ kinds, seed: 5n, connectivity }, { deadlineMs: 30_000 });
  await untilRegistered(system.backend, DEVICES);
});
after(async () => {
  second.client.close();
  second.process.kill('SIGTERM');
  await once(second.process, 'exit');
  await system.stop();
  rmSync(folder, { recursive: true });
});

/**
 * The first meter has a second server that may read what it is; the second meter's second account has an
 * identity that nobody knows.
 */
function templatesFor(port: number) {
  const account = (identity: string) => [
    { bn: '/0/2/', n: '0', vs: `coaps://127.0.0.1:${port}` },
    { n: '1', vb: false },
    { n: '2', v: 0 },
    { n: '3', vd: Buffer.from(identity).toString('base64url') },
    { n: '4', vd: '' },
    { n: '5', vd: Buffer.from('se:2').toString('base64url') },
    { n: '10', v: 2 },
    { bn: '/1/1/', n: '0', v: 2 },
    { n: '1', v: 300 },
    { n: '6', vb: true },
    { n: '7', vs: 'U' },
    // One server that is away is no reason to ask the bootstrap server again.
    { n: '16', vb: false },
    { bn: '/1/0/', n: '16', vb: true },
  ];
  const list = (number: number, objectId: number, instanceId: number, rights: Record<number, number>) => [
    { bn: `/2/${number}/`, n: '0', v: objectId },
    { n: '1', v: instanceId },
    ...Object.entries(rights).map(([server, bits]) => ({ n: `2/${server}`, v: bits })),
    { n: '3', v: 1 },
  ];
  const lists = [
    ...list(0, 1, 0, { 1: ALL }),
    ...list(1, 1, 1, { 1: READ, 2: ALL }),
    ...list(2, 3, 0, { 1: ALL, 2: READ }),
  ];
  const template = (endpoint: string, identity: string) => ({
    endpoints: [endpoint],
    deletes: ['/2'],
    senml: [...account(identity), ...lists],
  });
  return { templates: [template(METER, METER), template(SECOND_METER, 'urn:dev:sefleet:nobody')] };
}

async function startSecondServer(spare: Layout, layout: Layout) {
  const data = join(folder, 'second');
  mkdirSync(data);
  const child = fork(resolve('services/lwm2m-server/src/main.ts'), {
    env: {
      ...process.env,
      ...serviceEnvironment(layout, 'lwm2m-server'),
      SEFLEET_DATA: data,
      SEFLEET_BOOTSTRAP_TEMPLATES: '',
      SEFLEET_LWM2M_PORT: String(spare.lwm2mPort),
      SEFLEET_BOOTSTRAP_PORT: String(spare.bootstrapPort),
      SEFLEET_GRPC_PORT: String(spare.lwm2mGrpcPort),
      SEFLEET_LWM2M_TCP: 'false',
    },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  await once(child, 'message');
  const tls = readTlsFiles(pkiFolder(layout), 'cli');
  const client = createGrpcClient(
    management.DeviceManagementService,
    `127.0.0.1:${spare.lwm2mGrpcPort}`,
    tls,
  );
  return { process: child, client };
}

type Door = GrpcClient<Management>;

/** The code of a read, and what it gave. */
async function read(door: Door, endpoint: string, path: string): Promise<{ code: string; text: string }> {
  const { code, senmlJson } = await door.read({ endpoint, path }, { deadlineMs: 30_000 });
  return { code, text: senmlJson };
}

test('a device works with two servers at once, each within its rights', async () => {
  const { management: first } = system.backend;
  await until('both servers have it', async () => {
    const { registration } = await second.client.getRegistration({ endpoint: METER });
    return registration !== undefined;
  });
  assert.equal((await read(first, METER, '/3/0/0')).code, '2.05');
  const other = await read(second.client, METER, '/3/0/0');
  assert.match(other.text, /sefleet/);
  // What only the first may touch.
  assert.equal((await read(second.client, METER, '/1/0/1')).code, '4.01');
  const write = {
    endpoint: METER,
    path: '/3/0',
    senmlJson: '[{"n":"/3/0/14","vs":"+02:00"}]',
    partial: true,
  };
  assert.equal((await second.client.write(write)).code, '4.01');
  assert.equal((await first.write(write)).code, '2.04');
});

test('the alert of a server that does not know the device stands in the account', async () => {
  const { management: first } = system.backend;
  await until('an alert', async () => (await read(first, SECOND_METER, '/1/1/11')).code === '2.05');
  const { text } = await read(first, SECOND_METER, '/1/1/11');
  // RFC 4279 §2: unknown_psk_identity (115), or decrypt_error (51) from a server that does not tell.
  assert.match(text, /"v":(115|51)\b/);
});

test('a device in queue mode sleeps, and answers what waited when it wakes', async () => {
  const { management: first } = system.backend;
  await until('it sleeps', async () => {
    const { registration } = await first.getRegistration({ endpoint: METER });
    return registration?.sleeping === true;
  });
  const askedMs = performance.now();
  const { code } = await read(first, METER, '/3/0/0');
  assert.equal(code, '2.05');
  assert.ok(performance.now() - askedMs < INTERVAL_MS + 5000);
});

test('a disabled device leaves its server and returns after the time-out', async () => {
  const { management: first } = system.backend;
  const timeout = '[{"n":"/1/0/5","v":3}]';
  await first.write({ endpoint: METER, path: '/1/0', senmlJson: timeout, partial: true });
  const before = (await first.getRegistration({ endpoint: METER })).registration?.registrationId;
  await first.execute({ endpoint: METER, path: '/1/0/4', arguments: '' }, { deadlineMs: 30_000 });
  await until('it has left', () => first.getRegistration({ endpoint: METER }).then(isGone, () => true));
  await until('it is back', async () => {
    const { registration } = await first.getRegistration({ endpoint: METER });
    return registration !== undefined && registration.registrationId !== before;
  });
  // Its other server has had it all the time.
  assert.notEqual((await second.client.getRegistration({ endpoint: METER })).registration, undefined);
});

function isGone({ registration }: { readonly registration?: unknown }): boolean {
  return registration === undefined;
}

test('the sensors of a gateway are devices of their own', async () => {
  const { management: first } = system.backend;
  const { registrations } = await first.listRegistrations({ search: GATEWAY });
  const behind = registrations.filter(({ gateway }) => gateway === GATEWAY).map(({ endpoint }) => endpoint);
  assert.deepEqual(behind.toSorted(), [`${GATEWAY}:cuff`, `${GATEWAY}:oximeter`, `${GATEWAY}:thermometer`]);
  assert.match((await read(first, `${GATEWAY}:cuff`, '/3/0/1')).text, /BP-1/);
  const temperature = await read(first, `${GATEWAY}:thermometer`, '/3303/0/5700');
  assert.match(temperature.text, /"v":3[5-9]/);
  assert.equal((await read(first, `${GATEWAY}:thermometer`, '/3300/0')).code, '4.04');
});

test('accounts and rights are the same after the simulator was killed', async () => {
  const pid = system.supervisor.pids().get('device-sim');
  assert.ok(pid !== undefined);
  process.kill(pid, 'SIGKILL');
  await until('it is back', async () => {
    const { progress } = await system.backend.simulation.getFleet({});
    return progress?.running === true && system.supervisor.pids().get('device-sim') !== pid;
  });
  await untilRegistered(system.backend, DEVICES);
  await until('its second server answers', async () => {
    return (await read(second.client, METER, '/3/0/0')).code === '2.05';
  });
  assert.equal((await read(second.client, METER, '/1/0/1')).code, '4.01');
});
