import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSefleetError } from '@sefleet/errors';
import { aid } from '@sefleet/globalplatform';
import fc from 'fast-check';
import { decodeDeviceOrder, readerOrder } from './reader-order.ts';
import { cutOverOrder } from './records-client.ts';

const APPLICATION = aid('F05345464C54020224');
const REFERENCE = new Uint8Array(16).fill(7);

test('orders to begin and to end readings name the applet; all others are for the card', () => {
  for (const kind of ['begin', 'end'] as const) {
    const order = readerOrder(kind, APPLICATION, REFERENCE);
    assert.deepEqual(decodeDeviceOrder(order), { kind, application: APPLICATION });
    assert.ok(order.length <= 64, 'what devices take at most');
  }
  assert.deepEqual(decodeDeviceOrder(cutOverOrder(APPLICATION, REFERENCE)), { kind: 'hand-over' });
  assert.deepEqual(decodeDeviceOrder(new Uint8Array(0)), { kind: 'hand-over' });
});

test('an order that is cut short, or has something behind it, is refused with an error of ours', () => {
  const order = readerOrder('begin', APPLICATION, REFERENCE);
  for (let length = 1; length < order.length; length++)
    assert.throws(() => decodeDeviceOrder(order.subarray(0, length)), isSefleetError, String(length));
  assert.throws(() => decodeDeviceOrder(Uint8Array.of(...order, 0x55)), isSefleetError);
});

test('random bytes give an order or an error of ours, and nothing else', () => {
  fc.assert(
    fc.property(fc.constantFrom(0xa1, 0xa2, 0x4f), fc.uint8Array({ maxLength: 64 }), (first, rest) => {
      try {
        decodeDeviceOrder(Uint8Array.of(first, ...rest));
      } catch (error) {
        assert.ok(isSefleetError(error), String(error));
      }
    }),
  );
});
