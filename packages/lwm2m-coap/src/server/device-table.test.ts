import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Connection } from './device-state.ts';
import { DeviceState } from './device-state.ts';
import { DeviceTable } from './device-table.ts';
import type { Registration } from './registration.ts';

function device(endpoint: string): DeviceState {
  // What else is in a registration makes no difference here.
  return new DeviceState({ endpoint, id: `id-${endpoint}` } as Registration);
}

function at(key: string): Connection {
  // As above.
  return { peer: { key } } as Connection;
}

test('finds the device that spoke last by a peer that several come from, wherever the others go', () => {
  const table = new DeviceTable();
  const [first, second] = [device('a'), device('b')];
  table.add(first);
  table.add(second);
  assert.equal(table.connect(first, at('p')), true);
  assert.equal(table.connect(first, at('p')), false);
  assert.equal(table.connect(second, at('p')), true);
  assert.equal(table.connect(first, at('q')), true);
  assert.equal(table.byPeer('p'), second);
  assert.equal(table.byPeer('q'), first);
  table.remove(first);
  assert.equal(table.byPeer('p'), second);
  assert.equal(table.byPeer('q'), undefined);
});
