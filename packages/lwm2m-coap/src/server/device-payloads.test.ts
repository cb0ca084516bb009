import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CODE } from '@sefleet/coap';
import type { ServerObservation } from '@sefleet/coap';
import { CONTENT_FORMAT, decodeContent, encodeContent, Lwm2mPath } from '@sefleet/lwm2m';
import type { SendVerdict } from './settings.ts';
import { Bench, models } from './management-bench.test.ts';

test('reads an object in the version that the device announced', async () => {
  const bench = new Bench();
  // LogData of Event Log, opaque; of a version that nobody knows only the content format tells the types.
  const tlv = Uint8Array.from(Buffer.from('e20fae0102', 'hex'));
  bench.answer = () => ({ code: CODE.CONTENT, payload: tlv, contentFormat: CONTENT_FORMAT.TLV });
  const place = Lwm2mPath.parse('/20/0/4014');
  const read = () => bench.settle(bench.server.device('meter').read(place));
  for (const version of ['', ';ver=1.0', ';ver="2.1"', ';ver=9.9']) {
    const query = ['ep=meter', 'lwm2m=1.1', 'lt=300'];
    await bench.post('/rd', query, `</>;rt="oma.lwm2m",</20>${version},</20/0>`, 40);
    assert.deepEqual((await read()).entries, [{ path: place, value: Uint8Array.of(1, 2) }], version);
  }
  const text = new TextEncoder().encode('no number');
  bench.answer = () => ({ code: CODE.CONTENT, payload: text, contentFormat: CONTENT_FORMAT.TEXT });
  const number = Lwm2mPath.parse('/3303/0/5700');
  const readNumber = () => bench.settle(bench.server.device('meter').read(number));
  await bench.post('/rd', ['ep=meter', 'lwm2m=1.1'], '</3303/0>', 40);
  await assert.rejects(readNumber, { code: 'LWM2M_ANSWER_INVALID' });
  await bench.post('/rd', ['ep=meter', 'lwm2m=1.1'], '</3303>;ver=9.0,</3303/0>', 40);
  assert.deepEqual((await readNumber()).entries, [{ path: number, value: 'no number' }]);
});

test('a Send for an end device goes to whoever knows end devices, and to nobody else', async () => {
  const named = encodeContent(
    CONTENT_FORMAT.SENML_JSON,
    Lwm2mPath.ROOT,
    [
      { path: Lwm2mPath.parse('/3303/0/5700'), value: 7, prefix: 'd1' },
      { path: Lwm2mPath.parse('/3/0/9'), value: 80 },
    ],
    models,
  );
  const body = Buffer.from(named).toString();
  const bench = new Bench();
  await bench.register();
  assert.equal((await bench.post('/dp', [], body, CONTENT_FORMAT.SENML_JSON)).code, CODE.BAD_REQUEST);
  assert.deepEqual(bench.sent, []);
  const log: string[] = [];
  let verdict: SendVerdict = { kind: 'busy', retryAfterSeconds: 3 };
  const knowing = new Bench({
    consumer: {
      send: (_registration, entries) => {
        log.push(`own ${JSON.stringify(entries[0]?.value)}`);
        return { kind: 'accepted' };
      },
      endDeviceSend: ({ endpoint }, prefix, entries) => {
        const values = entries.map(({ path, value }) => `${path.toString()}=${JSON.stringify(value)}`);
        log.push(`${endpoint} ${prefix} ${values.join()}`);
        return verdict;
      },
      notification: () => {},
    },
  });
  await knowing.register();
  const busy = await knowing.post('/dp', [], body, CONTENT_FORMAT.SENML_JSON);
  assert.deepEqual([busy.code, busy.maxAgeSeconds], [CODE.SERVICE_UNAVAILABLE, 3]);
  assert.deepEqual(log.splice(0), ['meter d1 /3303/0/5700=7']);
  verdict = { kind: 'accepted' };
  assert.equal((await knowing.post('/dp', [], body, CONTENT_FORMAT.SENML_JSON)).code, CODE.CHANGED);
  assert.deepEqual(log, ['meter d1 /3303/0/5700=7', 'own 80']);
});

test('composite operations on an end device name it in their payload', async () => {
  const bench = new Bench();
  await bench.register();
  const announcement = bench.server.device('meter').registration.announcement;
  const device = bench.server.endDevice('meter', { id: 'sensor', prefix: 'd1', announcement });
  assert.ok(device);
  const temperature = Lwm2mPath.parse('/3303/0/5700');
  const format = CONTENT_FORMAT.SENML_CBOR;
  const answer = [{ path: temperature, value: 7, prefix: 'd1' }];
  const payload = encodeContent(format, Lwm2mPath.ROOT, answer, models);
  bench.answer = ({ method }) =>
    method === 'FETCH' ? { code: CODE.CONTENT, payload, contentFormat: format } : { code: CODE.CHANGED };
  const read = await bench.settle(device.readComposite([temperature]));
  assert.deepEqual(read.entries, [{ path: temperature, value: 7 }]);
  await bench.settle(device.writeComposite([{ path: temperature, value: 8 }]));
  await bench.settle(device.observe([temperature, Lwm2mPath.parse('/3/0')]));
  for (const request of bench.requests) {
    assert.equal(request.path, '/');
    const [first] = decodeContent(format, Lwm2mPath.ROOT, request.payload, models);
    assert.equal(first?.prefix, 'd1');
  }
  assert.equal(bench.requests.length, 3);
});

test('says what it refused of a device: a Send and a notification that do not decode', async () => {
  const refused: string[] = [];
  const told: string[] = [];
  const bench = new Bench({
    consumer: { send: () => ({ kind: 'accepted' }), notification: () => void told.push('told') },
    events: {
      refused: ({ what, reason, peer, endpoint }) =>
        void refused.push(`${what} ${reason} ${peer?.address} ${endpoint}`),
    },
  });
  await bench.register();
  assert.equal((await bench.post('/dp', [], '[', CONTENT_FORMAT.SENML_JSON)).code, CODE.BAD_REQUEST);
  let observer: ServerObservation | undefined;
  const state = (payload: string) => ({ code: CODE.CONTENT, payload, contentFormat: CONTENT_FORMAT.TEXT });
  bench.answer = (request) => {
    observer = request.observe?.accept();
    return state('80');
  };
  await bench.settle(bench.server.device('meter').observe([Lwm2mPath.parse('/3/0/9')]));
  observer?.notify(state('no number'));
  await bench.runtime.runUntil(() => refused.length === 2, 5000);
  assert.deepEqual(refused, ['send malformed 10.0.0.2 meter', 'notification malformed 10.0.0.2 meter']);
  assert.deepEqual(told, []);
  const { 'sends.refused.malformed': sends, 'notifications.refused.malformed': notifications } =
    bench.server.counters();
  assert.deepEqual([sends, notifications], [1, 1]);
});
