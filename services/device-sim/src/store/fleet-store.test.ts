import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { mock, test } from 'node:test';
import { SimRuntime } from '@sefleet/runtime/sim';
import { DEFAULT_CONNECTIVITY } from '../device/connectivity.ts';
import { CLEAR_NETWORK } from '../network/network-conditions.ts';
import { FleetStore, type DeviceState } from './fleet-store.ts';
import { GroupCommit, type JournaledDevice } from './group-commit.ts';

const PLAN = {
  seed: 0xffff_ffff_ffff_ffffn,
  kinds: [{ kind: 'smart-meter', count: 2, readingIntervalMs: 5000 }],
  startRate: 0,
  timeCompression: 1,
  virtualStartMs: undefined,
  network: { ...CLEAR_NETWORK, lossShare: 0.25 },
  connectivity: { transport: 'coaps+tcp', credential: 'x509', bootstrap: 'factory', queueMode: true },
  state: 'running',
} as const;

function identity(number: number) {
  return {
    endpoint: `meter-${number}`,
    kind: 'smart-meter',
    number,
    bootstrapUri: 'coaps://127.0.0.1:5784',
    bootstrapPskIdentity: `bs:meter-${number}`,
    bootstrapSecretId: 1,
    deviceKeyId: 3,
    certificateChain: [Uint8Array.of(0x30, 0x00)],
    factoryAccounts: new Uint8Array(0),
    connectivity: DEFAULT_CONNECTIVITY,
    cardImage: Uint8Array.of(number),
  } as const;
}

function withFolder(run: (path: string) => void | Promise<void>): () => Promise<void> {
  return async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sefleet-store-'));
    try {
      await run(join(folder, 'fleet.db'));
    } finally {
      rmSync(folder, { recursive: true });
    }
  };
}

test(
  'keeps plan, devices, state and outbox across a reopening',
  withFolder((path) => {
    const store = new FleetStore(path);
    assert.equal(store.fleet(), undefined);
    store.putFleet(PLAN);
    store.addDevices([identity(1), identity(2)]);
    const id = store.device('meter-2')?.id ?? 0;
    const state = {
      cardImage: Uint8Array.of(9),
      readings: '{}',
      accounts: '[]',
      supply: '',
      sealed: 2,
      acknowledged: 1,
    };
    const first = { position: 1, sealed: Uint8Array.of(1) };
    const second = { position: 2, sealed: Uint8Array.of(2) };
    store.apply({
      states: [{ id, state }],
      added: [
        { id, record: second },
        { id, record: first },
      ],
      acknowledged: [],
    });
    store.apply({ states: [], added: [], acknowledged: [{ id, position: 1 }] });
    store.close();
    const again = new FleetStore(path);
    assert.deepEqual(again.fleet(), PLAN);
    assert.deepEqual({ ...again.device('meter-2') }, { ...identity(2), id, ...state });
    assert.deepEqual(again.outbox(id, 10), [second]);
    again.close();
  }),
);

test(
  'never puts the factory image in the place of a card that has moved on',
  withFolder((path) => {
    const store = new FleetStore(path);
    store.addDevices([identity(1)]);
    const id = store.device('meter-1')?.id ?? 0;
    const state = {
      cardImage: Uint8Array.of(77),
      readings: '',
      accounts: '',
      supply: '',
      sealed: 5,
      acknowledged: 5,
    };
    store.apply({ states: [{ id, state }], added: [], acknowledged: [] });
    store.addDevices([identity(1), identity(2)]);
    assert.deepEqual(store.device('meter-1')?.cardImage, Uint8Array.of(77));
    assert.deepEqual(store.device('meter-2')?.cardImage, Uint8Array.of(2));
    store.close();
  }),
);

test('says what is wrong with a folder that it cannot write', () => {
  assert.throws(() => new FleetStore('/nowhere/fleet.db'), {
    code: 'SIM_STORE_FAILED',
    fault: 'environment',
  });
});

test(
  'a record is reported durable only once it can be read back, with the state that goes with it',
  withFolder(async (path) => {
    const runtime = new SimRuntime(1);
    const store = new FleetStore(path);
    store.addDevices([identity(1)]);
    const stored = store.device('meter-1');
    assert.ok(stored);
    let sealed = 0;
    const state = (): DeviceState => ({ ...stored, cardImage: Uint8Array.of(sealed), sealed });
    const device: JournaledDevice = { id: stored.id, state };
    const nowMs = (): number => runtime.clock.monotonicMs();
    const journal = new GroupCommit(store, { timers: runtime.timers, nowMs, windowMs: 50 });
    const durable: number[] = [];
    for (const position of [1, 2, 3]) {
      sealed = position;
      journal.recordSealed(device, { position, sealed: Uint8Array.of(position) }, () => {
        assert.equal(store.device('meter-1')?.sealed, 3);
        assert.equal(store.outbox(stored.id, 10).length, 3);
        durable.push(position);
      });
    }
    await runtime.advance(49);
    assert.deepEqual(durable, []);
    assert.equal(store.outbox(stored.id, 10).length, 0);
    await runtime.advance(2);
    assert.deepEqual(durable, [1, 2, 3]);
    assert.equal(journal.counters.commits, 1);
    journal.recordAcknowledged(device, 2);
    journal.flush();
    assert.deepEqual(
      store.outbox(stored.id, 10).map(({ position }) => position),
      [1, 3],
    );
    assert.equal(runtime.activeTimers, 0);
    store.close();
  }),
);

test(
  'what a store that failed did not take is in the next commit',
  withFolder((path) => {
    const runtime = new SimRuntime(1);
    const store = new FleetStore(path);
    store.addDevices([identity(1)]);
    const stored = store.device('meter-1');
    assert.ok(stored);
    const device: JournaledDevice = { id: stored.id, state: () => ({ ...stored, sealed: 1 }) };
    const nowMs = (): number => runtime.clock.monotonicMs();
    const journal = new GroupCommit(store, { timers: runtime.timers, nowMs, windowMs: 50 });
    const durable: string[] = [];
    const full = mock.method(store, 'apply', () => {
      throw new RangeError('disk full');
    });
    journal.recordSealed(device, { position: 1, sealed: Uint8Array.of(1) }, () => durable.push('record'));
    assert.throws(() => journal.flush(), RangeError);
    assert.deepEqual(durable, []);
    full.mock.restore();
    journal.flush();
    assert.deepEqual(durable, ['record']);
    assert.equal(store.outbox(stored.id, 10).length, 1);
    store.close();
  }),
);

test(
  'answers of cards in one turn wait for one commit, and hear when it fails',
  withFolder(async (path) => {
    const runtime = new SimRuntime(1);
    const store = new FleetStore(path);
    store.addDevices([identity(1), identity(2)]);
    const nowMs = (): number => runtime.clock.monotonicMs();
    const journal = new GroupCommit(store, { timers: runtime.timers, nowMs, windowMs: 50 });
    const changed = (endpoint: string): void => {
      const stored = store.device(endpoint);
      assert.ok(stored);
      journal.deviceChanged({ id: stored.id, state: () => ({ ...stored, sealed: 7 }) });
    };
    changed('meter-1');
    const first = journal.soon();
    changed('meter-2');
    await Promise.all([first, journal.soon()]);
    assert.deepEqual([store.device('meter-1')?.sealed, store.device('meter-2')?.sealed], [7, 7]);
    assert.equal(journal.counters.commits, 1);
    changed('meter-1');
    store.close();
    await assert.rejects(journal.soon(), { code: 'SIM_STORE_FAILED' });
  }),
);

test(
  'a device that is ordered with another connectivity keeps its card and forgets its accounts',
  withFolder((path) => {
    const store = new FleetStore(path);
    store.addDevices([identity(1), identity(2)]);
    for (const endpoint of ['meter-1', 'meter-2']) {
      const { id, ...device } = store.device(endpoint) ?? assert.fail();
      const state = { ...device, accounts: '[]', cardImage: Uint8Array.of(9) };
      store.apply({ states: [{ id, state }], added: [], acknowledged: [] });
    }
    const byCard = { ...DEFAULT_CONNECTIVITY, bootstrap: 'smartcard' } as const;
    const overTcp = { ...DEFAULT_CONNECTIVITY, transport: 'coap+tcp', credential: 'none' } as const;
    assert.equal(store.hasFixedDevices(DEFAULT_CONNECTIVITY), false);
    assert.equal(store.hasFixedDevices(overTcp), false);
    assert.equal(store.hasFixedDevices(byCard), true);
    const factoryAccounts = Uint8Array.of(1, 2);
    store.addDevices([identity(1), { ...identity(2), connectivity: overTcp, factoryAccounts }]);
    const [same, changed] = [store.device('meter-1'), store.device('meter-2')];
    assert.deepEqual([same?.accounts, changed?.accounts], ['[]', '']);
    assert.deepEqual(changed?.cardImage, Uint8Array.of(9));
    assert.deepEqual(changed?.connectivity, overTcp);
    assert.deepEqual(changed?.factoryAccounts, factoryAccounts);
    store.close();
  }),
);

test(
  'reads the database of the version before, whose devices were all made alike',
  withFolder((path) => {
    new FleetStore(path).close();
    const old = new DatabaseSync(path);
    old.exec(`ALTER TABLE device DROP COLUMN connectivity; ALTER TABLE device DROP COLUMN factory_accounts;
      INSERT INTO device VALUES (1, 'meter-1', 'smart-meter', 1, 'coaps://a', 'bs:meter-1', 1, 3, '[]');
      INSERT INTO device_state VALUES (1, x'07', '', '', '', 4, 3);
      PRAGMA user_version = 2`);
    old.close();
    const store = new FleetStore(path);
    const device = store.device('meter-1');
    assert.deepEqual(device?.connectivity, DEFAULT_CONNECTIVITY);
    assert.equal(device?.sealed, 4);
    assert.equal(device.factoryAccounts.length, 0);
    store.close();
  }),
);
