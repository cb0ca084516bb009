import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shardOf } from './shard-map.ts';

const SHARDS = ['coaps://a', 'coaps://b', 'coaps://c', 'coaps://d'];
const endpoints = Array.from({ length: 4000 }, (_, i) => `urn:dev:sefleet:meter-${i}`);

test('spreads a fleet evenly', () => {
  const counts = new Map<string, number>();
  for (const endpoint of endpoints) {
    const shard = shardOf(endpoint, SHARDS) ?? '';
    counts.set(shard, (counts.get(shard) ?? 0) + 1);
  }
  assert.equal(counts.size, 4);
  for (const count of counts.values()) assert.ok(count > 850 && count < 1150, String(count));
});

test('moves only the devices of a shard that goes', () => {
  const left = SHARDS.slice(0, 3);
  for (const endpoint of endpoints) {
    const before = shardOf(endpoint, SHARDS);
    if (before !== 'coaps://d') assert.equal(shardOf(endpoint, left), before);
  }
});

test('leaves the choice open without shards', () => {
  assert.equal(shardOf('x', []), undefined);
});
