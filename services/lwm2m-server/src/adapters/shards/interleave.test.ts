import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { interleave } from './interleave.ts';

async function* counted(upTo: number): AsyncGenerator<{ readonly number: number }> {
  for (let number = 0; number < upTo; number++) yield { number };
}

const silent: AsyncIterator<never> = { next: () => new Promise(() => {}) };

test('gives the items of every source, each in its order, and ends with the last', async () => {
  const sources = new Map([
    ['a', counted(3)],
    ['b', counted(2)],
  ]);
  const items = new Map<string, number[]>();
  for await (const [name, { number }] of interleave(sources)) {
    items.set(name, [...(items.get(name) ?? []), number]);
  }
  assert.deepEqual(
    [items.get('a'), items.get('b')],
    [
      [0, 1, 2],
      [0, 1],
    ],
  );
});

test('fails with the source that fails', async () => {
  const failing = { next: () => Promise.reject(new RangeError('gone')) };
  const items = interleave(
    new Map<string, AsyncIterator<unknown>>([
      ['silent', silent],
      ['failing', failing],
    ]),
  );
  await assert.rejects(items.next(), RangeError);
});

test('needs no memory for the items that it gave, however long a source is silent', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void; // what the flag makes
  const sources = new Map<string, AsyncIterator<{ readonly number: number }>>([
    ['busy', counted(Infinity)],
    ['silent', silent],
  ]);
  const items = interleave(sources);
  const bytesAfter = async (count: number): Promise<number> => {
    for (let i = 0; i < count; i++) await items.next();
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = await bytesAfter(1000);
  const grown = (await bytesAfter(50_000)) - before;
  assert.ok(grown < 4_000_000, `${grown} bytes for 50,000 items`);
  await items.return(undefined);
});
