import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RefusalBound } from './refusal-bound.ts';

test('lets each key through once in 10 seconds, and 1000 keys', () => {
  let nowMs = 0;
  const bound = new RefusalBound({ monotonicMs: () => nowMs, wallMs: () => 0 });
  assert.deepEqual([bound.admits('a'), bound.admits('a'), bound.admits('b')], [true, false, true]);
  const admitted = Array.from({ length: 2000 }, (_, index) => bound.admits(`k${index}`));
  assert.equal(admitted.filter(Boolean).length, 998);
  nowMs = 9999;
  assert.equal(bound.admits('a'), false);
  nowMs = 10_000;
  assert.equal(bound.admits('a'), true);
});
