import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Fingerprint } from '../codec/hash.ts';
import { Deduplicator } from './deduplicator.ts';

const LIFETIME_MS = 247_000;

function fingerprint(i: number): Fingerprint {
  const made = new Fingerprint();
  made.set('192.0.2.1:5683', Uint8Array.of(0x40, 1, i >> 24, i >> 16, i >> 8, i), 6, 7);
  return made;
}

test('recalls each message and its answer for its lifetime, and not for twice as long', () => {
  const seen = new Deduplicator(LIFETIME_MS, 8_388_608);
  for (let i = 0; i < 5000; i++) {
    const nowMs = i * 10;
    assert.equal(seen.find(fingerprint(i), nowMs), -1);
    seen.answered(seen.add(fingerprint(i), nowMs), Uint8Array.of(i >> 8, i));
  }
  for (const nowMs of [50_000, 200_000, 246_000]) {
    for (let i = 0; i < 5000; i += 97) {
      const handle = seen.find(fingerprint(i), Math.max(nowMs, 50_000));
      assert.ok(handle >= 0, `${i} at ${nowMs} ms`);
      assert.deepEqual(seen.earlierAnswer(handle), Uint8Array.of(i >> 8, i));
    }
  }
  assert.equal(seen.find(fingerprint(1), 2 * LIFETIME_MS + 50_000), -1);
  assert.ok(seen.bytes < 10_000);
});

test('knows how far a message without answer is', () => {
  const seen = new Deduplicator(LIFETIME_MS, 100_000);
  const handle = seen.add(fingerprint(1), 0);
  assert.equal(seen.earlierAnswer(handle), 'pending');
  seen.acknowledged(handle);
  assert.equal(seen.earlierAnswer(handle), 'acknowledged');
  seen.answered(handle, Uint8Array.of(1, 2, 3));
  assert.deepEqual(seen.earlierAnswer(handle), Uint8Array.of(1, 2, 3));
});

test('stays within its memory whatever comes, and keeps the newest', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 1200 }),
      fc.integer({ min: 50_000, max: 400_000 }),
      (answerBytes, maxBytes) => {
        const seen = new Deduplicator(LIFETIME_MS, maxBytes);
        const answer = new Uint8Array(answerBytes);
        for (let i = 0; i < 20_000; i++) seen.answered(seen.add(fingerprint(i), i / 100), answer);
        assert.ok(seen.bytes <= maxBytes, `${seen.bytes} of ${maxBytes} bytes`);
        assert.ok(seen.find(fingerprint(19_999), 200) >= 0);
        assert.ok(seen.evictedEarly > 0);
      },
    ),
    { numRuns: 30 },
  );
});

test('at 12,000 requests a second 48 MiB reach further back than MAX_TRANSMIT_SPAN', () => {
  const seen = new Deduplicator(LIFETIME_MS, 50_331_648);
  const answer = new Uint8Array(24);
  const perSecond = 12_000;
  const seconds = 150;
  for (let i = 0; i < perSecond * seconds; i++)
    seen.answered(seen.add(fingerprint(i), (i / perSecond) * 1000), answer);
  const nowMs = seconds * 1000;
  assert.ok(seen.find(fingerprint(perSecond * (seconds - 45)), nowMs) >= 0);
  assert.ok(seen.bytes <= 50_331_648);
});
