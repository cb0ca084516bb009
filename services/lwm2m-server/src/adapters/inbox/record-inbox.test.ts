import { deepEqual, equal } from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { encodeRecordBatch, sealTelemetryRecord } from '@sefleet/cose';
import { SimRuntime } from '@sefleet/runtime/sim';
import { RecordInbox } from './record-inbox.ts';

const TOPIC = (name: string): string => `sefleet/v1/smart-meter/urn:dev:sefleet:${name}/records`;

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'inbox-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

function recordOf(sequence: number, name: string): Uint8Array {
  return sealTelemetryRecord({
    stakeholder: 'northern-power',
    keyVersion: 1,
    recordKey: new Uint8Array(16),
    endpoint: `urn:dev:sefleet:${name}`,
    record: { sequence, timestampMs: 1_800_000_000_000, values: [[1, sequence]] },
  });
}

async function readAll(inbox: RecordInbox, endpoint?: string, after = 0) {
  const found = [];
  for await (const page of inbox.read(endpoint, after)) found.push(...page);
  return found;
}

test('keeps each record once, in the order of arrival, also after a restart', async (t) => {
  const folder = folderOf(t);
  const runtime = new SimRuntime(1);
  const inbox = await RecordInbox.open(folder, runtime, () => undefined);
  const records = [1, 2, 3].map((sequence) => recordOf(sequence, 'a'));
  const other = recordOf(1, 'b');
  const answers = [
    inbox.publish(TOPIC('a'), encodeRecordBatch(records.slice(0, 2))),
    inbox.publish(TOPIC('b'), other),
    inbox.publish(TOPIC('a'), encodeRecordBatch(records)),
  ];
  await runtime.advance(100);
  deepEqual(await Promise.all(answers), [true, true, true]);
  await inbox.close();
  const again = await RecordInbox.open(folder, runtime, () => undefined);
  deepEqual(
    (await readAll(again)).map(({ sealed }) => Buffer.from(sealed)),
    [records[0], records[1], other, records[2]].map((sealed) => Buffer.from(sealed ?? [])),
  );
  const [first] = await readAll(again, 'urn:dev:sefleet:b');
  equal(first?.endpoint, 'urn:dev:sefleet:b');
  deepEqual(
    (await readAll(again, 'urn:dev:sefleet:a', 2)).map(({ sealed }) => Buffer.from(sealed)),
    [Buffer.from(records[2] ?? [])],
  );
  await again.close();
});

test('keeps what is no record at all as it came', async (t) => {
  const runtime = new SimRuntime(1);
  const inbox = await RecordInbox.open(folderOf(t), runtime, () => undefined);
  const answer = inbox.publish(TOPIC('a'), Uint8Array.of(1, 2, 3));
  await runtime.advance(100);
  equal(await answer, true);
  deepEqual(
    (await readAll(inbox)).map(({ sealed }) => [...sealed]),
    [[1, 2, 3]],
  );
  await inbox.close();
});

test('says that records are not safe when the disk fails', async (t) => {
  const runtime = new SimRuntime(1);
  const inbox = await RecordInbox.open(folderOf(t), runtime, () => undefined);
  await inbox.close();
  const answer = inbox.publish(TOPIC('a'), encodeRecordBatch([recordOf(1, 'a')]));
  await runtime.advance(100);
  equal(await answer, false);
});
