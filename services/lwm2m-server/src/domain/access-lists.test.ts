import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { accessLists } from './access-lists.ts';

const NETWORK = { shortServerId: 1, serverInstance: 0 };
const SUPPLIER = { shortServerId: 117, serverInstance: 17 };

test('what a device has belongs to the server that runs the network, an account to its own', () => {
  const targets = ['/', '/0/0', '/1/5', '/2/0', '/3', '/3/0', '/3303/2', '/g1/3303/0', '/3/0/1', '/30000/0'];
  const links = targets.map((target) => ({ target, attributes: new Map() }));
  const [write, ...more] = accessLists(NETWORK, [SUPPLIER], links);
  deepEqual(more, []);
  const values = new Map((write?.entries ?? []).map(({ path, value }) => [path.toString(), value]));
  const rows = Array.from({ length: values.size / 3 }, (_, id) =>
    [0, 1, 3].map((resource) => values.get(`/2/${id}/${resource}`)),
  );
  deepEqual(rows, [
    [1, 0, 1],
    [1, 17, 117],
    [3, 0, 1],
    [3303, 2, 1],
    [30_000, 0, 1],
  ]);
});
