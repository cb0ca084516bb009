import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { deriveRecordKey, encodeRecordBatch, recordTopic, sealTelemetryRecord } from '@sefleet/cose';
import { createEventLog } from '@sefleet/observability';
import { Ingest } from './ingest.ts';
import type {
  DeadLetter,
  MasterKey,
  RecordMessage,
  RecordSource,
  RecordStore,
  StoredRecord,
} from './ports.ts';
import { RecordKeys } from './record-keys.ts';

const masterKey = new Uint8Array(16).fill(7);
const clock = { monotonicMs: () => performance.now(), wallMs: () => Date.now() };

function message(endpoint: string, sequences: readonly number[], keyVersion = 1): RecordMessage {
  const recordKey = deriveRecordKey(masterKey, endpoint);
  const sealed = sequences.map((sequence) =>
    sealTelemetryRecord({
      endpoint,
      stakeholder: 'aqua',
      keyVersion,
      recordKey,
      record: { sequence, timestampMs: 1_700_000_000_000, values: [[1, sequence]] },
    }),
  );
  return { topic: recordTopic({ kind: 'smart-meter', endpoint }), payload: encodeRecordBatch(sealed) };
}

/** A source and a store in memory; the store outlives the ingest that wrote to it. */
class World implements RecordSource, RecordStore {
  readonly records: StoredRecord[] = [];
  readonly letters: DeadLetter[] = [];
  readonly acknowledged: RecordMessage[] = [];
  readonly #tokens = new Set<string>();
  pending: RecordMessage[] = [];
  keys: MasterKey[] = [{ stakeholder: 'aqua', keyVersion: 1, masterKey, createdAtMs: 1 }];
  keysDown = false;
  fetched = 0;
  /** Fails before the rows are written, after it, or not at all. */
  readonly failures: ('before' | 'after')[] = [];

  read(limit: number, waitMs: number): Promise<readonly RecordMessage[]> {
    if (this.pending.length > 0) return Promise.resolve(this.pending.splice(0, limit));
    return new Promise((resolve) => setTimeout(() => resolve([]), Math.min(waitMs, 5)));
  }
  acknowledge(messages: readonly RecordMessage[]): Promise<void> {
    this.acknowledged.push(...messages);
    return Promise.resolve();
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
  async insert(records: readonly StoredRecord[], token: string): Promise<void> {
    const failure = this.failures.shift();
    if (failure === 'before') throw new RangeError('disk full');
    if (!this.#tokens.has(token)) this.records.push(...records);
    this.#tokens.add(token);
    if (failure === 'after') throw new RangeError('answer lost');
    return Promise.resolve();
  }
  insertDeadLetters(letters: readonly DeadLetter[]): Promise<void> {
    this.letters.push(...letters);
    return Promise.resolve();
  }
  async *storedRanges(): AsyncIterable<{
    stakeholder: string;
    endpoint: string;
    first: number;
    last: number;
  }> {
    for (const { stakeholder, endpoint, sequence } of this.records) {
      yield { stakeholder, endpoint, first: sequence, last: sequence };
    }
  }
  fetch(): Promise<readonly MasterKey[]> {
    this.fetched++;
    return this.keysDown ? Promise.reject(new RangeError('down')) : Promise.resolve(this.keys);
  }

  /** Runs an ingest until `done` and stops it. */
  async ingest(done: () => boolean): Promise<Ingest> {
    const ingest = new Ingest(
      {
        source: this,
        store: this,
        keys: new RecordKeys({ fetch: () => this.fetch() }, clock),
        clock,
        log: createEventLog({ service: 'test', level: 'silent' }),
        sleep: () => new Promise((resolve) => setTimeout(resolve, 1)),
      },
      { batchRecords: 50, lingerMs: 1 },
      crypto.randomUUID(),
    );
    await ingest.start();
    while (!done()) await new Promise((resolve) => setTimeout(resolve, 1));
    await ingest.stop();
    return ingest;
  }
}

const sequencesOf = (world: World): number[] =>
  world.records.map(({ sequence }) => sequence).toSorted((a, b) => a - b);

test('stores each record once and acknowledges every message', async () => {
  const world = new World();
  world.pending = [message('m', [1, 2]), message('m', [2, 3]), message('m', [1])];
  const ingest = await world.ingest(() => world.acknowledged.length === 3);
  assert.deepEqual(sequencesOf(world), [1, 2, 3]);
  assert.equal(ingest.statistics().stored, 3);
  assert.equal(ingest.statistics().duplicates, 2);
});

test('knows after a restart what was stored before it', async () => {
  const world = new World();
  world.pending = [message('m', [1, 2])];
  await world.ingest(() => world.acknowledged.length === 1);
  // The acknowledgement was lost with the process: the message comes again.
  world.pending = [message('m', [1, 2]), message('m', [3])];
  const ingest = await world.ingest(() => world.acknowledged.length === 3);
  assert.deepEqual(sequencesOf(world), [1, 2, 3]);
  assert.equal(ingest.statistics().stored, 3);
});

test('stores exactly the records sent, whatever fails, repeats and restarts in between', async () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 4 }) },
    { weight: 1, arbitrary: fc.constantFrom('restart' as const, 'before' as const, 'after' as const) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 15 }), async (steps) => {
      const world = new World();
      const sent = new Set<number>();
      let messages = 0;
      for (const entry of steps) {
        if (entry === 'restart') await world.ingest(() => world.acknowledged.length === messages);
        else if (typeof entry === 'string') world.failures.push(entry);
        else {
          world.pending.push(message('m', entry));
          messages++;
          for (const sequence of entry) sent.add(sequence);
        }
      }
      await world.ingest(() => world.acknowledged.length === messages);
      assert.deepEqual(
        sequencesOf(world),
        [...sent].toSorted((a, b) => a - b),
      );
    }),
    { numRuns: 25 },
  );
});

test('waits with messages whose key it cannot ask for, and stores the others meanwhile', async () => {
  const world = new World();
  world.pending = [message('m', [1])];
  await world.ingest(() => world.acknowledged.length === 1);
  world.keysDown = true;
  world.pending = [message('m', [2], 9)];
  await world.ingest(() => world.fetched > 3);
  assert.equal(world.acknowledged.length, 1);
  assert.equal(world.letters.length, 0);
  // Not acknowledged, so that the source gives it again; now there is a key.
  world.keysDown = false;
  world.keys.push({ stakeholder: 'aqua', keyVersion: 9, masterKey, createdAtMs: 2 });
  world.pending = [message('m', [2], 9)];
  await world.ingest(() => world.acknowledged.length === 2);
  assert.deepEqual(sequencesOf(world), [1, 2]);
});

test('gives up a record whose key provisioning does not know', async () => {
  const world = new World();
  world.pending = [message('m', [1], 5)];
  const ingest = await world.ingest(() => world.acknowledged.length === 1);
  assert.deepEqual(
    world.letters.map(({ reason }) => reason),
    ['unknownKey'],
  );
  assert.equal(ingest.statistics().rejected, 1);
});

test('turns any bytes on any topic into dead letters', async () => {
  const topics = fc.oneof(fc.string(), fc.constant(message('m', [1]).topic));
  await fc.assert(
    fc.asyncProperty(topics, fc.uint8Array({ maxLength: 120 }), async (topic, payload) => {
      const world = new World();
      world.pending = [{ topic, payload }];
      await world.ingest(() => world.acknowledged.length === 1);
      assert.equal(world.records.length, 0);
      assert.ok(world.letters.length > 0);
    }),
    { numRuns: 40 },
  );
});
