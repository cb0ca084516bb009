import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Patience } from './patience.ts';

test('waits as long as something moves, and no longer than the limit when nothing does', () => {
  let nowMs = 0;
  const patience = new Patience(60, () => nowMs);
  for (let done = 0; done < 100; done++) {
    nowMs += 59;
    assert.equal(patience.isOver(done), false);
  }
  nowMs += 60;
  assert.equal(patience.isOver(99), false);
  nowMs += 1;
  assert.equal(patience.isOver(99), true);
});
