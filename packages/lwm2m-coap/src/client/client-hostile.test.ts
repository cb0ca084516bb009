import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CODE, codeClass } from '@sefleet/coap';
import type { CoapRequestInit } from '@sefleet/coap';
import fc from 'fast-check';
import { World } from './client-world.test.ts';

const segment = fc.oneof(
  fc.constantFrom(
    '0',
    '1',
    '2',
    '3',
    '6',
    '25',
    '3303',
    '5700',
    '5701',
    '4',
    '8',
    '11',
    '65535',
    'bs',
    'rd',
    'x',
  ),
  fc.string({ maxLength: 4 }),
);
const query = fc.constantFrom('pmin=1', 'pmax=9', 'gt=5', 'st=x', 'depth=9', 'con=1', 'a', 'ep=x', 'pmin');
const request: fc.Arbitrary<CoapRequestInit> = fc.record({
  method: fc.constantFrom('GET', 'PUT', 'POST', 'DELETE', 'FETCH', 'PATCH', 'iPATCH'),
  path: fc.array(segment, { maxLength: 5 }),
  query: fc.array(query, { maxLength: 3 }),
  payload: fc.oneof(
    fc.uint8Array({ maxLength: 30 }),
    fc.constantFrom('', '1', '[{"n":"/3303/0/5700"}]', '[{"n":"/1/0/1","v":900}]', "0='a'"),
  ),
  contentFormat: fc.constantFrom(undefined, 0, 40, 42, 60, 110, 112, 320, 322, 11542, 11544, 9999),
  accept: fc.constantFrom(undefined, 0, 40, 42, 60, 110, 112, 11542, 11544, 9999),
});

it('answers whatever a server asks, and its own state stays sound', async () => {
  const failures: unknown[] = [];
  const world = new World({}, { handlerFailed: (_endpoint, error) => void failures.push(error) });
  world.withAccounts(86_400);
  await world.run(world.client.start());
  await fc.assert(
    fc.asyncProperty(request, async (init) => {
      const response = await world.ask(init);
      assert.ok(
        [2, 4].includes(codeClass(response.code)),
        `${init.method} ${String(init.path)}: ${response.code}`,
      );
      assert.equal(world.tree.instance(0, 1)?.get(10), 101, 'the keys are out of reach');
      assert.equal(world.tree.instance(3, 0)?.get(0), 'ACME', 'what servers only read stays');
    }),
    { numRuns: 400 },
  );
  assert.deepEqual(failures, []);
  const read = await world.ask({ method: 'GET', path: '/3/0/0' });
  assert.equal(read.code, CODE.CONTENT);
});
