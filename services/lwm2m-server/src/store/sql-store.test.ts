import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { AnnouncementTable } from '@sefleet/lwm2m-coap';
import type { Registration } from '@sefleet/lwm2m-coap';
import { createNodeRuntime } from '@sefleet/runtime/node';
import { PostgresDatabase, SqliteDatabase, type SqlDatabase } from '@sefleet/service';
import { SKIP_WITHOUT_POSTGRES, startPostgres, type TestPostgres } from '@sefleet/service/testing';
import type { Campaign } from '../domain/campaigns/campaign.ts';
import type { QueuedOperation } from '../domain/operations/queued-operation.ts';
import { SqlStore } from './sql-store.ts';

let postgres: TestPostgres | undefined;
before(async () => {
  if (SKIP_WITHOUT_POSTGRES === false) postgres = await startPostgres();
});
const SCHEMA = `lwm2m_test_${process.pid}`;
let files = 0;
const runtime = createNodeRuntime();
const folder = mkdtempSync(join(tmpdir(), 'sefleet-store-'));
after(async () => {
  if (postgres !== undefined) {
    for (let i = 1; i <= files; i++) {
      const database = new PostgresDatabase(postgres.url, `${SCHEMA}_${i}`, () => {});
      await database.migrate(`DROP SCHEMA ${SCHEMA}_${i} CASCADE`);
      await database.close();
    }
  }
  await postgres?.stop();
  runtime.close();
  rmSync(folder, { recursive: true });
});

const announcement = new AnnouncementTable().parse(new TextEncoder().encode('</>;rt="oma.lwm2m",</3/0>'));

function registration(name: string, changes: Partial<Registration> = {}): Registration {
  return {
    id: `id-${name}`,
    endpoint: `urn:dev:${name}`,
    credential: `psk:${name}`,
    kind: 'smart-meter',
    version: '1.1',
    lifetimeSeconds: 300,
    binding: 'U',
    queueMode: false,
    smsNumber: undefined,
    announcement,
    registeredAtMs: 1_700_000_000_000,
    updatedAtMs: 1_700_000_000_000,
    ...changes,
  };
}

interface Subject {
  readonly name: string;
  readonly skip: string | false;
  readonly open: () => SqlDatabase;
}

const SUBJECTS: readonly Subject[] = [
  { name: 'SQLite', skip: false, open: () => new SqliteDatabase(join(folder, `${files}.sqlite`)) },
  {
    name: 'PostgreSQL',
    skip: SKIP_WITHOUT_POSTGRES,
    open: () => new PostgresDatabase(postgres?.url ?? '', `${SCHEMA}_${files}`, () => {}),
  },
];

const fail = (error: unknown): void => assert.fail(String(error));

for (const { name, skip, open } of SUBJECTS) {
  describe(`the store on ${name}`, { skip }, () => {
    /** A store on tables of its own; calling `again` opens it as the next process does. */
    const fresh = (): Promise<SqlStore> => {
      files++;
      return again();
    };
    const again = (): Promise<SqlStore> => SqlStore.open(open(), runtime.timers, fail);

    test('keeps registrations and observations for the next process', async () => {
      const store = await fresh();
      await store.saveRegistration(registration('a'));
      await store.saveRegistration(registration('b', { queueMode: true, smsNumber: '+49' }));
      await store.saveObservation({ endpoint: 'urn:dev:a', paths: ['/3/0/9', '/3/0/13'] });
      await store.saveObservation({ endpoint: 'urn:dev:a', paths: ['/3/0/9', '/3/0/13'] });
      await store.close();
      const next = await again();
      const { registrations, observations } = await next.load();
      const byName = registrations.toSorted((one, other) => (one.endpoint < other.endpoint ? -1 : 1));
      assert.deepEqual(byName, [registration('a'), registration('b', { queueMode: true, smsNumber: '+49' })]);
      assert.deepEqual(observations, [{ endpoint: 'urn:dev:a', paths: ['/3/0/9', '/3/0/13'] }]);
      await next.close();
    });

    test('replaces a registration and keeps what its device is observed for', async () => {
      const store = await fresh();
      const first = registration('a');
      await store.saveRegistration(first);
      await store.saveObservation({ endpoint: 'urn:dev:a', paths: ['/3'] });
      await store.saveRegistration(registration('a', { id: 'second', lifetimeSeconds: 60 }));
      // Of the registration that is no longer there: changes nothing.
      store.touchRegistration({ ...first, lifetimeSeconds: 1 });
      store.removeRegistration(first);
      const { registrations, observations } = await store.load();
      assert.deepEqual(
        registrations.map(({ id, lifetimeSeconds }) => [id, lifetimeSeconds]),
        [['second', 60]],
      );
      assert.equal(observations.length, 1);
      store.touchRegistration(registration('a', { id: 'second', lifetimeSeconds: 90, updatedAtMs: 5 }));
      store.touchRegistration(registration('a', { id: 'second', lifetimeSeconds: 91, updatedAtMs: 6 }));
      const [touched] = (await store.load()).registrations;
      assert.deepEqual([touched?.lifetimeSeconds, touched?.updatedAtMs], [91, 6]);
      store.removeRegistration(registration('a', { id: 'second' }));
      assert.deepEqual(await store.load(), { registrations: [], observations: [] });
      await store.close();
    });

    test('commits ten thousand registrations in few transactions', async () => {
      const store = await fresh();
      const names = Array.from({ length: 10_000 }, (_, i) => `m${i}`);
      await Promise.all(names.map((one) => store.saveRegistration(registration(one))));
      assert.equal((await store.load()).registrations.length, 10_000);
      await store.close();
    });

    test('counts each bootstrapped device once', async () => {
      const store = await fresh();
      store.saveBootstrap('urn:dev:a', 'obu', 1);
      store.saveBootstrap('urn:dev:a', 'obu', 2);
      store.saveBootstrap('urn:dev:b', 'smart-meter', 3);
      const counts = await store.bootstrapCounts();
      assert.deepEqual([counts.get('obu'), counts.get('smart-meter')], [1, 1]);
      await store.close();
    });

    test('keeps campaigns and their results', async () => {
      const store = await fresh();
      const campaign: Campaign = {
        id: 'c1',
        state: 'running',
        operation: { kind: 'write', path: '/1/0/1', senmlJson: '[{"n":"/1/0/1","v":60}]', partial: false },
        concurrency: 4,
        attempts: 3,
        startedAtMs: 10,
        deadlineAtMs: 20,
        endedAtMs: undefined,
        startedBy: 'cli',
      };
      await store.saveCampaign(campaign, ['a', 'b', 'c']);
      const open = await store.openCampaignResults('c1');
      assert.deepEqual(
        open.map(({ endpoint }) => endpoint),
        ['a', 'b', 'c'],
      );
      const [first] = open;
      assert.ok(first);
      store.saveCampaignResult('c1', { ...first, state: 'succeeded', code: '2.04', attempts: 1 });
      store.saveCampaignResult('c1', { ...first, endpoint: 'b', state: 'failed', error: 'X', attempts: 3 });
      assert.deepEqual(await store.campaignCounts('c1'), { succeeded: 1, failed: 1, open: 1 });
      const failed = await store.campaignResults('c1', { after: '', limit: 10, onlyFailed: true });
      assert.deepEqual(
        failed.map(({ endpoint, error }) => [endpoint, error]),
        [['b', 'X']],
      );
      const page = await store.campaignResults('c1', { after: 'a', limit: 1, onlyFailed: false });
      assert.deepEqual(
        page.map(({ endpoint }) => endpoint),
        ['b'],
      );
      store.updateCampaign({ ...campaign, state: 'ended', endedAtMs: 30 });
      assert.deepEqual(await store.findCampaign('c1'), { ...campaign, state: 'ended', endedAtMs: 30 });
      assert.deepEqual(
        (await store.listCampaigns(5)).map(({ id }) => id),
        ['c1'],
      );
      assert.equal(await store.findCampaign('c2'), undefined);
      await store.close();
    });

    test('keeps queued operations in the order of their coming', async () => {
      const store = await fresh();
      const queued = (id: string, changes: Partial<QueuedOperation> = {}): QueuedOperation => ({
        id,
        sequence: Number(id),
        endpoint: 'urn:dev:a',
        operation: { kind: 'execute', path: '/3/0/4', args: '' },
        state: 'waiting',
        code: '',
        senmlJson: '',
        text: '',
        error: '',
        attempts: 0,
        queuedAtMs: 10,
        expiresAtMs: 20,
        endedAtMs: undefined,
        queuedBy: 'cli',
        ...changes,
      });
      const { operations } = store;
      assert.equal(await operations.lastSequence(), 0);
      await operations.save(queued('1'));
      await Promise.all([operations.save(queued('2', { endpoint: 'b' })), operations.save(queued('3'))]);
      const over = queued('3', { state: 'answered', code: '2.04', attempts: 1, endedAtMs: 15 });
      await operations.update(over);
      assert.deepEqual(await operations.find('3'), over);
      assert.equal(await operations.find('9'), undefined);
      assert.deepEqual(
        (await operations.open()).map(({ id, endpoint, state, size }) => [id, endpoint, state, size > 10]),
        [
          ['1', 'urn:dev:a', 'waiting', true],
          ['2', 'b', 'waiting', true],
        ],
      );
      const page = { after: 0, limit: 10, endpoint: '', queuedBy: '', onlyOpen: false };
      const ids = async (changes: Partial<typeof page>) =>
        (await operations.page({ ...page, ...changes })).map(({ id }) => id);
      assert.deepEqual(await ids({}), ['1', '2', '3']);
      assert.deepEqual(await ids({ after: 1, limit: 1 }), ['2']);
      assert.deepEqual(await ids({ endpoint: 'b' }), ['2']);
      assert.deepEqual(await ids({ queuedBy: 'other' }), []);
      assert.deepEqual(await ids({ onlyOpen: true }), ['1', '2']);
      operations.prune(0);
      assert.deepEqual(await ids({}), ['1', '2']);
      assert.equal(await operations.lastSequence(), 2);
      await store.close();
    });

    test('keeps segments of events and the name of their journal', async () => {
      const store = await fresh();
      assert.deepEqual(await store.events.open('one'), { name: 'one', next: 0 });
      for (const [first, count] of [
        [0, 3],
        [3, 2],
        [9, 1],
      ] as const) {
        await store.events.save({ first, count, text: `text ${first}` });
      }
      await store.close();
      const next = await again();
      assert.deepEqual(await next.events.open('two'), { name: 'one', next: 10 });
      const first = async (place: number) => (await next.events.find(place))?.first;
      assert.deepEqual(await Promise.all([0, 2, 3, 4, 5, 9, 10].map(first)), [0, 0, 3, 3, 9, 9, undefined]);
      assert.deepEqual(await next.events.find(4), { first: 3, count: 2, text: 'text 3' });
      await next.events.dropBefore(3);
      assert.equal(await first(0), 3);
      await next.close();
    });

    test('lists refusals, the newest first', async () => {
      const store = await fresh();
      const record = { operation: 'read', endpoint: 'a', path: '/3', reason: 'object not granted' };
      store.saveAudit({ ...record, atMs: 1, caller: 'x' });
      store.saveAudit({ ...record, atMs: 1, caller: 'y' });
      store.saveAudit({ ...record, atMs: 2, caller: 'x' });
      const all = await store.listAudit(10, '');
      assert.deepEqual(
        all.map(({ atMs, caller }) => [atMs, caller]),
        [
          [2, 'x'],
          [1, 'y'],
          [1, 'x'],
        ],
      );
      assert.equal((await store.listAudit(10, 'y')).length, 1);
      assert.equal((await store.listAudit(1, '')).length, 1);
      await store.close();
    });

    test('keeps the newest refusals only, so that nobody fills the disk by being refused', async () => {
      await (await fresh()).close();
      const store = await SqlStore.open(open(), runtime.timers, fail, 32);
      const record = { caller: 'x', operation: 'read', endpoint: 'a', path: '/3', reason: 'no' };
      for (let atMs = 1; atMs <= 201; atMs++) store.saveAudit({ ...record, atMs });
      const kept = await store.listAudit(1000, '');
      assert.deepEqual([kept.length, kept[0]?.atMs, kept.at(-1)?.atMs], [32, 201, 170]);
      await store.close();
    });
  });
}

test('tells those who wait when a transaction fails', async () => {
  const failures: unknown[] = [];
  const broken: SqlDatabase = {
    dialect: 'sqlite',
    migrate: () => Promise.resolve(),
    query: () => Promise.resolve([]),
    write: () => Promise.reject(new RangeError('disk full')),
    close: () => Promise.resolve(),
  };
  const store = await SqlStore.open(broken, runtime.timers, (error) => failures.push(error));
  await assert.rejects(store.saveRegistration(registration('a')), /disk full/);
  assert.equal(failures.length, 1);
});
