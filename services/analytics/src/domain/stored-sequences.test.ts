import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MAX_RANGES_PER_DEVICE, StoredSequences } from './stored-sequences.ts';

test('knows exactly the numbers that were added, in any order', () => {
  const numbers = fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 80 });
  fc.assert(
    fc.property(numbers, (added) => {
      const sequences = new StoredSequences();
      const model = new Set<number>();
      for (const sequence of added) {
        assert.equal(sequences.check('s', 'e', sequence), model.has(sequence) ? 'duplicate' : 'new');
        sequences.add('s', 'e', sequence);
        model.add(sequence);
      }
      for (let sequence = 1; sequence <= 61; sequence++) {
        assert.equal(
          sequences.check('s', 'e', sequence),
          model.has(sequence) ? 'duplicate' : 'new',
          `${sequence}`,
        );
      }
    }),
  );
});

test('takes over stored ranges in any order', () => {
  const range = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 9 }));
  fc.assert(
    fc.property(fc.array(range, { maxLength: 12 }), (ranges) => {
      const sequences = new StoredSequences();
      const model = new Set<number>();
      for (const [first, length] of ranges) {
        sequences.load({ stakeholder: 's', endpoint: 'e', first, last: first + length });
        for (let sequence = first; sequence <= first + length; sequence++) model.add(sequence);
      }
      for (let sequence = 1; sequence <= 52; sequence++) {
        assert.equal(
          sequences.check('s', 'e', sequence),
          model.has(sequence) ? 'duplicate' : 'new',
          `${sequence}`,
        );
      }
    }),
  );
});

test('keeps stakeholders and devices apart', () => {
  const sequences = new StoredSequences();
  sequences.add('a', 'e', 1);
  assert.equal(sequences.check('b', 'e', 1), 'new');
  assert.equal(sequences.check('a', 'f', 1), 'new');
  assert.equal(sequences.check('a', 'e', 1), 'duplicate');
});

test('refuses one gap too many, but never a number that closes one', () => {
  const sequences = new StoredSequences();
  for (let i = 0; i < MAX_RANGES_PER_DEVICE; i++) sequences.add('s', 'e', 1 + 3 * i);
  assert.equal(sequences.check('s', 'e', 1_000_000), 'tooSparse');
  assert.equal(sequences.check('s', 'e', 2), 'new');
  assert.equal(sequences.check('s', 'e', 1), 'duplicate');
});
