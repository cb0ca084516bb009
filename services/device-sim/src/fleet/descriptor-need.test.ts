import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSefleetError } from '@sefleet/errors';
import { checkDescriptors } from './descriptor-need.ts';

const plan = {
  kinds: [
    { kind: 'smart-meter', count: 3000, readingIntervalMs: 1000 },
    { kind: 'obu', count: 500, readingIntervalMs: 1000 },
  ],
} as const;

test('a fleet with more sockets than descriptors is refused, with both numbers', () => {
  checkDescriptors(plan, 5000);
  checkDescriptors(plan, undefined);
  checkDescriptors(plan, Infinity);
  assert.throws(
    () => checkDescriptors(plan, 4999),
    (error) =>
      isSefleetError(error, 'SIM_PLAN_INVALID') &&
      /needs 5000 file descriptors.*has 4999/.test(error.message) &&
      /ulimit -n/.test(error.hint ?? ''),
  );
});
