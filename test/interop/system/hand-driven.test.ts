import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { startSystem, until, type RunningSystem } from '../../integration/running-system.ts';

interface Ended {
  readonly status: number | null;
  readonly output: string;
}

/** Runs a program that we did not write; undefined when the machine does not have it. */
function program(t: TestContext, name: string, args: readonly string[], input = ''): Ended | undefined {
  if (spawnSync('which', [name]).status !== 0) {
    t.skip(`${name} is not installed`);
    return undefined;
  }
  const { status, stdout, stderr } = spawnSync(name, args, { input, encoding: 'utf8', timeout: 20_000 });
  return { status, output: `${stdout}\n${stderr}` };
}

let system: RunningSystem;
let folder: string;
let meter: { pskIdentity: string; psk: string; pskHex: string };
let car: { certificate: string; privateKey: string; authority: string };

/** `sefleet` as a person runs it, against the system of this test. */
function sefleet(args: readonly string[]): string {
  const { layout } = system;
  const environment = {
    SEFLEET_DATA: layout.dataFolder,
    SEFLEET_PROVISIONING_GRPC_PORT: String(layout.provisioningGrpcPort),
    SEFLEET_LWM2M_GRPC_PORT: String(layout.lwm2mGrpcPort),
    SEFLEET_ANALYTICS_GRPC_PORT: String(layout.analyticsGrpcPort),
    SEFLEET_SIMULATION_GRPC_PORT: String(layout.simulationGrpcPort),
  };
  const ended = spawnSync(process.execPath, ['services/cli/bin/sefleet.mjs', ...args], {
    env: { ...process.env, ...environment },
    encoding: 'utf8',
    timeout: 30_000,
  });
  assert.equal(ended.status, 0, ended.stderr);
  return ended.stdout;
}

before(async () => {
  system = await startSystem();
  folder = mkdtempSync(join(tmpdir(), 'sefleet-interop-'));
  meter = JSON.parse(sefleet(['device', 'add', 'hand-driven-meter', '--json']));
  car = JSON.parse(
    sefleet(['device', 'add', 'hand-driven-car', '--kind', 'obu', '--certificate', folder, '--json']),
  );
});

after(async () => {
  await system.stop();
  rmSync(folder, { recursive: true, force: true });
});

for (const client of ['coap-client-openssl', 'coap-client-gnutls']) {
  test(`${client} discovers the server and registers with an identity of sefleet device add`, async (t) => {
    const base = `coaps://127.0.0.1:${system.layout.lwm2mPort}`;
    const credential = ['-u', meter.pskIdentity, '-k', meter.psk, '-B', '10'];
    const core = program(t, client, ['-m', 'get', ...credential, `${base}/.well-known/core`]);
    if (core === undefined) return;
    assert.match(core.output, /<\/rd>/);
    const query = 'ep=hand-driven-meter&lt=300&lwm2m=1.1&b=U';
    program(
      t,
      client,
      ['-m', 'post', ...credential, '-t', '40', '-f', '-', `${base}/rd?${query}`],
      '</1/0>,</3/0>',
    );
    await until('the server lists it', async () => {
      const { registration } = await system.backend.management.getRegistration({
        endpoint: 'hand-driven-meter',
      });
      return registration?.objects.includes('/3/0') === true;
    });
  });
}

test('coap-client-openssl with a wrong key fails its handshake and is counted', async (t) => {
  const count = async (): Promise<number> => {
    const { counters } = await system.backend.management.getStatistics({});
    return counters
      .filter(({ name }) => name.startsWith('dtls.failed'))
      .reduce((sum, { value }) => sum + Number(value), 0);
  };
  const before = await count();
  const uri = `coaps://127.0.0.1:${system.layout.lwm2mPort}/.well-known/core`;
  const ended = program(t, 'coap-client-openssl', [
    '-m',
    'get',
    '-u',
    meter.pskIdentity,
    '-k',
    'wrong',
    '-B',
    '5',
    uri,
  ]);
  if (ended === undefined) return;
  assert.doesNotMatch(ended.output, /<\/rd>/);
  await until('the failure is counted', async () => (await count()) > before);
});

test('openssl s_client completes a handshake with PSK-AES128-CCM8', (t) => {
  const ended = program(t, 'openssl', [
    's_client',
    '-dtls1_2',
    '-connect',
    `127.0.0.1:${system.layout.lwm2mPort}`,
    '-psk_identity',
    meter.pskIdentity,
    '-psk',
    meter.pskHex,
    '-cipher',
    'PSK-AES128-CCM8:@SECLEVEL=0',
  ]);
  if (ended !== undefined) assert.match(ended.output, /Cipher is PSK-AES128-CCM8/);
});

test('gnutls-cli completes a handshake over UDP', (t) => {
  const ended = program(t, 'gnutls-cli', [
    '--udp',
    '--no-ca-verification',
    '-p',
    String(system.layout.lwm2mPort),
    '--pskusername',
    meter.pskIdentity,
    '--pskkey',
    meter.pskHex,
    '--priority',
    'NONE:+VERS-DTLS1.2:+PSK:+AES-128-CCM-8:+AEAD:+SIGN-ALL:+COMP-NULL:+GROUP-ALL',
    '127.0.0.1',
  ]);
  if (ended !== undefined) assert.match(ended.output, /Handshake was completed/);
});

const publish = (port: number, extra: readonly string[], topic: string): string[] => [
  '-h',
  'localhost',
  '-p',
  String(port),
  '--cafile',
  car.authority,
  ...extra,
  '-q',
  '1',
  '-t',
  topic,
  '-m',
  'x',
];

test('mosquitto_pub is refused without a device certificate', (t) => {
  const ended = program(
    t,
    'mosquitto_pub',
    publish(system.layout.mqttPort, [], 'sefleet/v1/obu/hand-driven-car/records'),
  );
  if (ended !== undefined) assert.notEqual(ended.status, 0);
});

test('mosquitto_pub is accepted with a device certificate', (t) => {
  const credential = ['--cert', car.certificate, '--key', car.privateKey];
  const topic = 'sefleet/v1/obu/hand-driven-car/records';
  const ended = program(t, 'mosquitto_pub', publish(system.layout.mqttPort, credential, topic));
  if (ended !== undefined) assert.equal(ended.status, 0, ended.output);
});

test('openssl s_client speaks RACS with the certificate of a device', (t) => {
  const arguments_ = [
    's_client',
    '-quiet',
    '-connect',
    `127.0.0.1:${system.layout.racsPort}`,
    '-CAfile',
    car.authority,
    '-cert',
    car.certificate,
    '-key',
    car.privateKey,
    '-servername',
    'localhost',
    '-verify_return_error',
  ];
  // It waits for more after the answer: the limit ends it.
  const ended = program(
    t,
    'timeout',
    ['2', 'openssl', ...arguments_],
    'BEGIN hand\r\nGET-VERSION APPEND\r\nLIST\r\nEND\r\n',
  );
  if (ended !== undefined) assert.match(ended.output, /BEGIN hand\r?\n\+002 001 0\.2\r?\n\+004 002/);
});
