import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { StreamConnection, StreamHandlers } from '@sefleet/runtime';
import { encodeFrame, FrameSplitter, insertCard } from './index.ts';

test('frames survive any cutting of the stream', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 8 }),
      fc.integer({ min: 1, max: 50 }),
      (bodies, size) => {
        const stream = Buffer.concat(bodies.map((body) => encodeFrame(body)));
        const splitter = new FrameSplitter();
        const got: Uint8Array[] = [];
        for (let at = 0; at < stream.length; at += size)
          got.push(...splitter.push(stream.subarray(at, at + size)));
        assert.deepEqual(got, bodies);
      },
    ),
  );
});

test('answers ATR and APDUs in order, obeys power and reset, and survives a card that throws', async () => {
  let handlers: StreamHandlers | undefined;
  const written: string[] = [];
  const log: string[] = [];
  const connection: StreamConnection = {
    peer: { key: 'x', address: '', port: 0, identity: { kind: 'none' } },
    listen: (given) => {
      handlers = given;
    },
    write: (data) => written.push(Buffer.from(data).toString('hex')) > 0,
    writable: () => Promise.resolve(),
    close: () => handlers?.closed(),
  };
  const ended = Promise.withResolvers<void>();
  insertCard(
    connection,
    {
      atr: Uint8Array.of(0x3b, 0x00),
      powerOn: () => log.push('on'),
      powerOff: () => log.push('off'),
      reset: () => log.push('reset'),
      transmit: (command) => {
        if (command[1] === 0xff) throw new TypeError('broken');
        return Uint8Array.of(command[1] ?? 0, 0x90, 0x00);
      },
    },
    ended.resolve,
  );
  const frames = [[1], [4], [0, 0xa4, 4, 0], [2], [0, 0xff, 0, 0], [9], [0]];
  handlers?.data(Buffer.concat(frames.map((frame) => encodeFrame(Uint8Array.from(frame)))));
  await new Promise(setImmediate);
  assert.deepEqual(written, ['00023b00', '0003a49000', '00026f00']);
  assert.deepEqual(log, ['on', 'reset', 'off']);
  connection.close();
  await ended.promise;
  assert.deepEqual(log.at(-1), 'off');
});
