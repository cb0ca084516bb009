import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SimRuntime } from '@sefleet/runtime/sim';
import { everyTurn, SqliteDatabase } from '@sefleet/service';
import { SqlEventStore, EVENT_SCHEMA } from '../../store/event-store.ts';
import type { DeviceEvent, DeviceEventType } from './device-event.ts';
import { EventJournal } from './event-journal.ts';
import type { JournalItem } from './event-journal.ts';
import type { EventSegment } from './event-store.ts';

const ALL: ReadonlySet<DeviceEventType> = new Set();

function event(endpoint: string, type: DeviceEventType = 'updated'): DeviceEvent {
  return { type, endpoint, kind: 'obu', atMs: 1, path: '', entries: [] };
}

class World {
  readonly counted: string[] = [];
  readonly database = new SqliteDatabase(':memory:');
  readonly store = new SqlEventStore(this.database);
  readonly signal = new AbortController().signal;
  /** Segments that the store may take; the others fail. */
  failing = false;
  journal!: EventJournal;

  static async create(options: { ring?: number; kept?: number } = {}): Promise<World> {
    const world = new World();
    await world.database.migrate(EVENT_SCHEMA);
    await world.restart(options);
    return world;
  }

  /** The journal of the next process; the one before does nothing any more. */
  async restart({ ring = 8, kept = 10_000 }: { ring?: number; kept?: number } = {}): Promise<void> {
    let open = true;
    const store = this.store;
    this.kill();
    this.kill = () => (open = false);
    this.journal = await EventJournal.open({
      ring,
      kept,
      fresh: 'j',
      store: {
        open: (fresh) => store.open(fresh),
        find: (place) => store.find(place),
        dropBefore: (place) => store.dropBefore(place),
        save: (segment: EventSegment) => {
          if (!open) return new Promise(() => {});
          return this.failing ? Promise.reject(new RangeError('disk full')) : store.save(segment);
        },
      },
      timers: { ...new SimRuntime(1).timers, after: (_ms, run) => (everyTurn(run), { cancel: () => {} }) },
      count: (name) => this.counted.push(name),
    });
  }

  kill: () => unknown = () => {};

  /** Appends and waits until it is kept. */
  async add(...names: readonly string[]): Promise<void> {
    await Promise.all(names.map((name) => this.journal.append(event(name))));
  }

  read(token: string, types = ALL): AsyncGenerator<JournalItem> {
    return this.journal.read(token, types, this.signal);
  }
}

async function take(items: AsyncGenerator<JournalItem>, count: number): Promise<JournalItem[]> {
  const taken: JournalItem[] = [];
  while (taken.length < count) {
    const next = await items.next();
    if (next.done === true) break;
    taken.push(next.value);
  }
  return taken;
}

const nameOf = (item: JournalItem): string =>
  item.kind === 'event' ? item.event.endpoint : `skipped ${item.count}`;
const names = (items: readonly JournalItem[]): string[] => items.map(nameOf);

test('tells what comes after a reader began, and goes on from its token', async () => {
  const { journal, ...world } = await World.create();
  void journal.append(event('before'));
  const stop = new AbortController();
  const reader = journal.read('', ALL, stop.signal);
  const first = take(reader, 2);
  void journal.append(event('a'));
  void journal.append(event('b'));
  const items = await first;
  assert.deepEqual(names(items), ['a', 'b']);
  const later = journal.read(items[0]?.resumeToken ?? '', ALL, world.signal);
  assert.deepEqual(names(await take(later, 1)), ['b']);
  stop.abort();
  assert.equal((await reader.next()).done, true);
});

test('tells of nothing that is not kept', async () => {
  const world = await World.create();
  const reader = world.read('');
  let told = false;
  const next = reader.next().then(({ value }) => {
    told = true;
    return value;
  });
  world.failing = true;
  let kept = false;
  const appended = world.journal.append(event('a')).then(() => (kept = true));
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([told, kept], [false, false]);
  assert.ok(world.counted.includes('events.storeFailed'));
  world.failing = false;
  assert.equal(nameOf(await next), 'a');
  await appended;
});

test('gives a reader that comes back after a restart what it has not had, once', async () => {
  const world = await World.create();
  await world.add('a', 'b');
  await world.add('c');
  const [first] = await take(world.read('j.0'), 1);
  await world.restart();
  await world.add('d');
  assert.deepEqual(names(await take(world.read(first?.resumeToken ?? ''), 3)), ['b', 'c', 'd']);
});

test('reads from the store what memory has not, across segments', async () => {
  const world = await World.create({ ring: 4 });
  const all = Array.from({ length: 50 }, (_, index) => `e${index}`);
  for (const name of all) await world.add(name);
  assert.deepEqual(names(await take(world.read('j.7'), 43)), all.slice(7));
});

test('says how many events are not kept any more', async () => {
  const world = await World.create({ ring: 4, kept: 16 });
  for (let i = 0; i < 9000; i += 100) {
    await world.add(...Array.from({ length: 100 }, (_, index) => `e${i + index}`));
  }
  const [skipped, next] = await take(world.read('j.2'), 2);
  assert.ok(skipped?.kind === 'skipped' && skipped.count > 1000, JSON.stringify(skipped));
  assert.equal(next === undefined ? '' : nameOf(next), `e${skipped.count + 2}`);
});

test('counts what a store that does not keep up loses, and says so in its place', async () => {
  const world = await World.create({ ring: 131_072 });
  world.failing = true;
  let lost = 0;
  for (let i = 0; i < 65_540; i++) world.journal.append(event(`e${i}`)).catch(() => lost++);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(lost, 4);
  world.failing = false;
  const reader = world.read('j.65535');
  assert.deepEqual(names(await take(reader, 1)), ['e65535']);
  await world.add('after');
  assert.deepEqual(names(await take(reader, 2)), ['skipped 4', 'after']);
  await world.restart();
  await world.add('later');
  assert.deepEqual(names(await take(world.read('j.65535'), 4)), ['e65535', 'skipped 4', 'after', 'later']);
});

test('knows the tokens of another journal and of places ahead, and refuses what is no token', async () => {
  const world = await World.create();
  await world.add('a');
  assert.deepEqual(names(await take(world.read('other.7'), 2)), ['skipped 0', 'a']);
  assert.deepEqual(names(await take(world.read('j.2'), 2)), ['skipped 0', 'a']);
  assert.deepEqual(names(await take(world.read('j.0'), 1)), ['a']);
  for (const token of ['nonsense', 'j.', 'j.-1', `${'j'.repeat(65)}.1`]) {
    await assert.rejects(take(world.read(token), 1), { code: 'LWM2M_REQUEST_INVALID' });
  }
});

test('gives only the asked types', async () => {
  const world = await World.create();
  void world.journal.append(event('a', 'updated'));
  await world.journal.append(event('b', 'expired'));
  assert.deepEqual(names(await take(world.read('j.0', new Set(['expired'] as const)), 1)), ['b']);
});

test('keeps what waits when the service stops', async () => {
  const world = await World.create();
  void world.journal.append(event('a'));
  await world.journal.close();
  await assert.rejects(world.journal.append(event('late')), { code: 'LWM2M_STORE_UNAVAILABLE' });
  await world.restart();
  assert.deepEqual(names(await take(world.read('j.0'), 1)), ['a']);
});

test('a reader that always resumes sees every kept event once, in order, whenever the process dies', async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('append' as const), count: fc.integer({ min: 1, max: 12 }) }),
    fc.record({ kind: fc.constant('kill' as const), count: fc.integer({ min: 0, max: 3 }) }),
    fc.record({ kind: fc.constant('read' as const), count: fc.integer({ min: 1, max: 6 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
      const world = await World.create({ ring: 4 });
      const kept: string[] = [];
      const seen: string[] = [];
      let token = 'j.0';
      let number = 0;
      for (const { kind, count } of steps) {
        if (kind === 'append') {
          for (let i = 0; i < count; i++) {
            const name = `e${number++}`;
            void world.journal.append(event(name)).then(() => kept.push(name));
          }
        } else if (kind === 'kill') {
          for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
          await world.restart({ ring: 4 });
        } else {
          const stop = new AbortController();
          setImmediate(() => setImmediate(() => stop.abort()));
          for await (const item of world.journal.read(token, ALL, stop.signal)) {
            seen.push(nameOf(item));
            token = item.resumeToken;
            if (seen.length % count === 0) break;
          }
        }
      }
      await world.add('end');
      for await (const item of world.journal.read(token, ALL, world.signal)) {
        seen.push(nameOf(item));
        if (seen.at(-1) === 'end') break;
      }
      // What the process had kept when it died is there, whether or not it had been told so.
      assert.deepEqual(
        seen,
        seen.toSorted((one, other) => numberOf(one) - numberOf(other)),
      );
      assert.equal(new Set(seen).size, seen.length);
      for (const name of kept) assert.ok(seen.includes(name), `${name} of ${kept.join()} in ${seen.join()}`);
    }),
    { numRuns: 60 },
  );
});

function numberOf(name: string): number {
  return name === 'end' ? Infinity : Number(name.slice(1));
}
