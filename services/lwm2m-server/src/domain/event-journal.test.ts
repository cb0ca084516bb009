import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventJournal } from './event-journal.ts';
import type { DeviceEvent, DeviceEventType, JournalItem } from './event-journal.ts';

const ALL: ReadonlySet<DeviceEventType> = new Set();

function event(endpoint: string, type: DeviceEventType = 'updated'): DeviceEvent {
  return { type, endpoint, kind: 'obu', atMs: 1, path: '', entries: [] };
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

const names = (items: readonly JournalItem[]): string[] =>
  items.map((item) => (item.kind === 'event' ? item.event.endpoint : `skipped ${item.count}`));

test('tells what comes after a reader began, and goes on from its token', async () => {
  const journal = new EventJournal('run', 8);
  journal.append(event('before'));
  const stop = new AbortController();
  const reader = journal.read('', ALL, stop.signal);
  const first = take(reader, 2);
  journal.append(event('a'));
  journal.append(event('b'));
  const items = await first;
  assert.deepEqual(names(items), ['a', 'b']);
  const later = journal.read(items[0]?.resumeToken ?? '', ALL, stop.signal);
  assert.deepEqual(names(await take(later, 1)), ['b']);
  stop.abort();
  assert.equal((await reader.next()).done, true);
});

test('says how many events a slow reader missed', async () => {
  const journal = new EventJournal('run', 4);
  const { signal } = new AbortController();
  for (let i = 0; i < 10; i++) journal.append(event(`e${i}`));
  assert.deepEqual(names(await take(journal.read('run.2', ALL, signal), 3)), ['skipped 4', 'e6', 'e7']);
});

test('knows the tokens of another run and refuses what is no token', async () => {
  const journal = new EventJournal('run', 4);
  const { signal } = new AbortController();
  journal.append(event('a'));
  assert.deepEqual(names(await take(journal.read('other.7', ALL, signal), 2)), ['skipped 0', 'a']);
  await assert.rejects(take(journal.read('nonsense', ALL, signal), 1), { code: 'LWM2M_REQUEST_INVALID' });
});

test('gives only the asked types', async () => {
  const journal = new EventJournal('run', 8);
  const { signal } = new AbortController();
  journal.append(event('a', 'updated'));
  journal.append(event('b', 'expired'));
  assert.deepEqual(names(await take(journal.read('run.0', new Set(['expired'] as const), signal), 1)), ['b']);
});
