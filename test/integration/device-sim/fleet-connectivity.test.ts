import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { common, type simulation } from '@sefleet/api';
import { compareLedgers } from '../../../services/cli/src/demo/ledger.ts';
import { FLEET_NAMES } from '../../../services/cli/src/supervisor/layout.ts';
import { startSystem, until, untilRegistered, type RunningSystem } from '../running-system.ts';

const { Transport, CredentialType, BootstrapMode, DeviceKind } = common;
const KINDS = [
  { kind: DeviceKind.SMART_METER, count: 2, readingIntervalMs: 500 },
  { kind: DeviceKind.OBU, count: 1, readingIntervalMs: 500 },
];
const DEVICES = 3;
const METER = 'urn:dev:sefleet:meter-000001';
let system: RunningSystem;

before(async () => {
  system = await startSystem({ plainEndpoints: FLEET_NAMES });
});
after(() => system.stop());

interface Case {
  readonly name: string;
  readonly connectivity: {
    readonly transport?: common.Transport;
    readonly credential?: common.CredentialType;
    readonly bootstrap?: common.BootstrapMode;
    readonly queueMode?: boolean;
  };
  readonly binding: string;
  /** What the server says that the device has proven. */
  readonly credential: RegExp;
}

/** In the order in which one set of devices goes through them. */
const CASES: readonly Case[] = [
  { name: 'coaps with a pre-shared key', connectivity: {}, binding: 'U', credential: /^psk:urn:/ },
  {
    name: 'coaps+tcp with a certificate of the session, issued by the card',
    connectivity: { transport: Transport.COAPS_TCP },
    binding: 'T',
    credential: /^x509:/,
  },
  {
    name: 'coap, unsecured',
    connectivity: { transport: Transport.COAP },
    binding: 'U',
    credential: /^none/,
  },
  {
    name: 'coap+tcp, with accounts from the factory',
    connectivity: { transport: Transport.COAP_TCP, bootstrap: BootstrapMode.FACTORY },
    binding: 'T',
    credential: /^none/,
  },
  {
    name: 'coaps with a raw public key',
    connectivity: { credential: CredentialType.RAW_PUBLIC_KEY },
    binding: 'U',
    credential: /^rpk:/,
  },
  {
    name: 'coaps with a certificate, in queue mode, with accounts from the factory',
    connectivity: {
      credential: CredentialType.CERTIFICATE,
      bootstrap: BootstrapMode.FACTORY,
      queueMode: true,
    },
    binding: 'U',
    credential: /^x509:/,
  },
];

for (const one of CASES) {
  test(`the same devices come by ${one.name}, and every record arrives`, () => runCase(system, one));
}

async function runCase({ backend }: RunningSystem, { connectivity, binding, credential }: Case) {
  await backend.simulation.startFleet({ kinds: KINDS, seed: 3n, connectivity }, { deadlineMs: 30_000 });
  await untilRegistered(backend, DEVICES);
  const { registration } = await backend.management.getRegistration({ endpoint: METER });
  assert.equal(registration?.binding.replace('Q', ''), binding);
  assert.match(registration?.credential ?? '', credential);
  const account = await resources(METER, '/1');
  assert.equal(account.get('/1/0/7'), connectivity.queueMode === true ? `${binding}Q` : binding);
  assert.equal(account.get('/1/0/22'), binding === 'T' ? 'T' : undefined);
  const seen = await progress();
  assert.equal(Number(seen.dtlsFailed), 0, JSON.stringify(seen.errors, bigintAsText));
  assert.deepEqual(seen.errors, []);
  const wanted = Number(seen.recordsSealed) + 3 * DEVICES;
  await until('records', async () => Number((await progress()).recordsSealed) >= wanted);
  const { drained } = await backend.simulation.drainFleet({ timeoutMs: 30_000 }, { deadlineMs: 40_000 });
  assert.ok(drained);
  await until('the ledger', async () => (await compareLedgers(backend)).lost === 0);
  const ledger = await compareLedgers(backend);
  assert.deepEqual([ledger.lost, ledger.duplicated, ledger.unexpected], [0, 0, 0]);
  await backend.simulation.stopFleet({}, { deadlineMs: 30_000 });
  const { registrations } = await backend.management.listRegistrations({ search: 'sefleet:meter' });
  assert.deepEqual(registrations, []);
}

for (const transport of [Transport.COAPS_TCP, Transport.COAP_TCP, Transport.COAP]) {
  test(`devices over ${Transport[transport]} come back to a server that was killed, and lose nothing`, async () => {
    const { backend, supervisor } = system;
    await backend.simulation.startFleet({ kinds: KINDS, seed: 3n, connectivity: { transport } });
    await untilRegistered(backend, DEVICES);
    const pid = supervisor.pids().get('lwm2m-server');
    assert.ok(pid !== undefined);
    process.kill(pid, 'SIGKILL');
    await until('the server is back', async () => supervisor.pids().get('lwm2m-server') !== pid);
    const sealed = Number((await progress()).recordsSealed);
    await until('records', async () => {
      const { recordsSealed, recordsAcknowledged } = await progress();
      return Number(recordsSealed) > sealed + 3 * DEVICES && recordsSealed - recordsAcknowledged < 4n;
    });
    await untilRegistered(backend, DEVICES);
    const { drained } = await backend.simulation.drainFleet({ timeoutMs: 60_000 }, { deadlineMs: 70_000 });
    assert.ok(drained);
    await until('the ledger', async () => (await compareLedgers(backend)).lost === 0);
    const { lost, duplicated } = await compareLedgers(backend);
    assert.deepEqual([lost, duplicated], [0, 0]);
    await backend.simulation.stopFleet({}, { deadlineMs: 30_000 });
  });
}

test('a fleet in whose folder devices were made otherwise is not given accounts in its cards', async () => {
  const connectivity = { bootstrap: BootstrapMode.SMARTCARD };
  await assert.rejects(system.backend.simulation.startFleet({ kinds: KINDS, seed: 3n, connectivity }), {
    message: /made with other accounts/,
  });
});

test('a credential that does not go with the transport is refused, with the ones that do', async () => {
  for (const connectivity of [
    { transport: Transport.COAPS_TCP, credential: CredentialType.PSK },
    { transport: Transport.COAP, credential: CredentialType.CERTIFICATE },
    { credential: CredentialType.NONE },
  ]) {
    await assert.rejects(
      system.backend.simulation.startFleet({ kinds: KINDS, connectivity }),
      /have no credential .* \(With coap.*: /,
    );
  }
});

test('where nobody may come without security, the factory makes no such devices, and says so', async () => {
  const other = await startSystem();
  try {
    const { simulation } = other.backend;
    const connectivity = { transport: Transport.COAP };
    await assert.rejects(
      simulation.startFleet({ kinds: KINDS, connectivity }, { deadlineMs: 30_000 }),
      /coap is not offered here.*sefleet up --plain/,
    );
    assert.equal((await simulation.getFleet({})).progress?.running, false);
    // Nothing is left of it: another fleet can be started.
    await simulation.startFleet({ kinds: KINDS }, { deadlineMs: 30_000 });
    await untilRegistered(other.backend, DEVICES);
  } finally {
    await other.stop();
  }
});

test('new devices find their server in their card, and ask no bootstrap server', async () => {
  const other = await startSystem();
  try {
    const { backend } = other;
    const connectivity = {
      bootstrap: BootstrapMode.SMARTCARD,
      credential: CredentialType.CERTIFICATE,
    };
    await backend.simulation.startFleet({ kinds: KINDS, seed: 3n, connectivity }, { deadlineMs: 30_000 });
    await untilRegistered(backend, DEVICES);
    const { kinds } = await backend.management.getStatistics({});
    assert.equal(
      kinds.reduce((sum, { bootstrapped }) => sum + Number(bootstrapped), 0),
      0,
    );
    // The bootstrap server's account came with the card: a trigger leads to it.
    await backend.management.execute({ endpoint: METER, path: '/1/0/9' });
    await until('a bootstrap by the server', async () => {
      const statistics = await backend.management.getStatistics({});
      return statistics.kinds.some(({ bootstrapped }) => Number(bootstrapped) === 1);
    });
    await untilRegistered(backend, DEVICES);
    await backend.simulation.stopFleet({}, { deadlineMs: 30_000 });
    // The devices' cards are what they are.
    await assert.rejects(backend.simulation.startFleet({ kinds: KINDS }), /made with other accounts/);
  } finally {
    await other.stop();
  }
});

async function progress(): Promise<simulation.FleetProgress> {
  const answer = await system.backend.simulation.getFleet({});
  return answer.progress ?? assert.fail('no progress');
}

/** Values below a path, by path. */
async function resources(endpoint: string, path: string): Promise<ReadonlyMap<string, unknown>> {
  const { senmlJson } = await system.backend.management.read({ endpoint, path });
  const values = new Map<string, unknown>();
  let baseName = '';
  for (const { bn, n = '', ...value } of JSON.parse(senmlJson) as Record<string, string>[]) {
    baseName = bn ?? baseName;
    values.set(baseName + n, Object.values(value)[0]);
  }
  return values;
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
