import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Lwm2mPath } from '@sefleet/lwm2m';
import type { DeviceEvent } from './device-event.ts';
import { decodeEvents, encodeEvents } from './event-codec.ts';

const id = fc.integer({ min: 0, max: 65_534 });
const value = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.double(),
  fc.maxSafeInteger(),
  fc.bigInt(),
  fc.boolean(),
  fc.constant(null),
  fc.uint8Array({ maxLength: 64 }),
  fc.record({ objectId: id, instanceId: id }, { noNullPrototype: true }),
);
const entry = fc
  .record({
    ids: fc.array(id, { minLength: 1, maxLength: 4 }),
    value,
    time: fc.option(fc.integer()),
    end: fc.option(fc.string()),
  })
  .map(({ ids, time, end, ...rest }) => {
    const path = Lwm2mPath.parse(`/${ids.join('/')}`);
    return {
      path,
      ...rest,
      ...(time === null ? {} : { timeSeconds: time }),
      ...(end === null ? {} : { prefix: end }),
    };
  });
const event: fc.Arbitrary<DeviceEvent> = fc
  .record({
    type: fc.constantFrom('updated', 'notification', 'send', 'operationEnded', 'refused'),
    endpoint: fc.string(),
    kind: fc.constantFrom('', 'obu'),
    atMs: fc.maxSafeInteger(),
    path: fc.string(),
    entries: fc.array(entry, { maxLength: 4 }),
    operation: fc.option(fc.record({ id: fc.string(), code: fc.string() }, { noNullPrototype: true })),
    reason: fc.option(fc.string()),
  })
  .map(({ operation, reason, ...rest }) => ({
    ...rest,
    ...(operation === null ? {} : { operation }),
    ...(reason === null ? {} : { reason }),
  }));

test('gives back what was written, whatever the values', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 5 }), (events) => {
      assert.deepEqual(decodeEvents(encodeEvents(events)), events);
    }),
  );
});
