import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { RecordQueue } from './record-queue.ts';

const root = mkdtempSync(join(tmpdir(), 'sefleet-queue-'));
after(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;
const newFolder = (): string => join(root, `${folders++}`);
const payload = (text: string): Buffer => Buffer.from(text);
const textsOf = (messages: readonly { payload: Uint8Array }[]): string[] =>
  messages.map((message) => Buffer.from(message.payload).toString());

test('gives messages in order, each once, and forgets what is acknowledged', async () => {
  const folder = newFolder();
  const queue = await RecordQueue.open({ folder, maxBytes: 1_000_000 });
  await Promise.all(['a', 'b', 'c'].map((text) => queue.append('t', payload(text))));
  const first = await queue.read(2, 1000);
  assert.deepEqual(textsOf(first), ['a', 'b']);
  assert.deepEqual(textsOf(await queue.read(2, 1000)), ['c']);
  assert.deepEqual(await queue.read(2, 1), []);
  await queue.acknowledge(first.slice(1));
  await queue.close();
  const again = await RecordQueue.open({ folder, maxBytes: 1_000_000 });
  assert.deepEqual(textsOf(await again.read(10, 1000)), ['a', 'c']);
  assert.equal(again.bytes, 4);
  await again.append('t', payload('d'));
  assert.deepEqual(textsOf(await again.read(10, 1000)), ['d']);
  await again.close();
});

test('wakes a reader that waits', async () => {
  const queue = await RecordQueue.open({ folder: newFolder(), maxBytes: 1_000_000 });
  const reading = queue.read(10, 60_000);
  await queue.append('topic', payload('x'));
  assert.deepEqual(await reading.then((messages) => messages.map(({ topic }) => topic)), ['topic']);
  await queue.close();
});

test('lets publishers wait while its share of the disk is used up', async () => {
  const queue = await RecordQueue.open({ folder: newFolder(), maxBytes: 10 });
  await queue.append('t', payload('0123456789'));
  let second = false;
  const waiting = queue.append('t', payload('x')).then(() => (second = true));
  const messages = await queue.read(10, 1000);
  assert.equal(second, false);
  await queue.acknowledge(messages);
  await waiting;
  assert.deepEqual(textsOf(await queue.read(10, 1000)), ['x']);
  await queue.close();
});

test('refuses messages once it is closed, and a second process on its folder', async () => {
  const folder = newFolder();
  const queue = await RecordQueue.open({ folder, maxBytes: 1_000_000 });
  await assert.rejects(RecordQueue.open({ folder, maxBytes: 1 }), { code: 'ANALYTICS_QUEUE_UNAVAILABLE' });
  await queue.close();
  await assert.rejects(queue.append('t', payload('x')), { code: 'ANALYTICS_QUEUE_UNAVAILABLE' });
});
