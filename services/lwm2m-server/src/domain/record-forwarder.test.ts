import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeRecordBatch } from '@sefleet/cose';
import { Lwm2mPath } from '@sefleet/lwm2m';
import { AnnouncementTable, SEALED_RECORD_PATH } from '@sefleet/lwm2m-coap';
import type { Registration } from '@sefleet/lwm2m-coap';
import { RecordForwarder } from './record-forwarder.ts';

const METER: Registration = {
  id: 'x',
  endpoint: 'urn:dev:sefleet:meter-1',
  credential: 'psk:x',
  kind: 'smart-meter',
  version: '1.1',
  lifetimeSeconds: 300,
  binding: 'U',
  queueMode: false,
  smsNumber: undefined,
  announcement: new AnnouncementTable().parse(new TextEncoder().encode('</3/0>')),
  registeredAtMs: 0,
  updatedAtMs: 0,
};

function createBench(answer = true) {
  const published: { topic: string; payload: Uint8Array }[] = [];
  const counts = new Map<string, number>();
  const publisher = {
    ready: true,
    publish: (topic: string, payload: Uint8Array) => {
      published.push({ topic, payload });
      return Promise.resolve(answer);
    },
  };
  const count = (name: string, by = 1): void => void counts.set(name, (counts.get(name) ?? 0) + by);
  return { published, counts, publisher, forwarder: new RecordForwarder(publisher, count) };
}

const record = (byte: number) => ({ path: SEALED_RECORD_PATH, value: Uint8Array.of(0xd0, byte) });

test('publishes the sealed records of a Send as one batch and nothing else of it', async () => {
  const { forwarder, published, counts } = createBench();
  const temperature = { path: Lwm2mPath.parse('/3303/0/5700'), value: 21 };
  const verdict = await forwarder.forward(METER, [record(1), temperature, record(2)]);
  assert.deepEqual(verdict, { kind: 'accepted' });
  assert.equal(published[0]?.topic, 'sefleet/v1/smart-meter/urn:dev:sefleet:meter-1/records');
  assert.equal(decodeRecordBatch(published[0]?.payload ?? new Uint8Array(0)).length, 2);
  assert.equal(counts.get('records.forwarded'), 2);
});

test('accepts a Send without records without asking the broker', async () => {
  const { forwarder, publisher, published } = createBench();
  publisher.ready = false;
  const verdict = await forwarder.forward(METER, [{ path: Lwm2mPath.parse('/3/0/9'), value: 80 }]);
  assert.equal(verdict.kind, 'accepted');
  assert.equal(published.length, 0);
});

test('asks the device to come again when the broker is away, full or refuses', async () => {
  const { forwarder, publisher, counts } = createBench(false);
  assert.equal((await forwarder.forward(METER, [record(1)])).kind, 'busy');
  publisher.ready = false;
  assert.equal((await forwarder.forward(METER, [record(1)])).kind, 'busy');
  assert.equal(counts.get('records.busy'), 2);
});

test('refuses what no batch can carry and devices of no kind', async () => {
  const { forwarder } = createBench();
  const many = Array.from({ length: 257 }, (_, i) => record(i & 0xff));
  assert.equal((await forwarder.forward(METER, many)).kind, 'refused');
  assert.equal((await forwarder.forward({ ...METER, kind: '' }, [record(1)])).kind, 'refused');
});
