import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { common, provisioning } from '@sefleet/api';
import { createEventLog } from '@sefleet/observability';
import { SimRuntime } from '@sefleet/runtime/sim';
import { CredentialDirectory } from './credential-directory.ts';

function createBench() {
  const runtime = new SimRuntime(1);
  const batches: string[][] = [];
  const state = { failing: false, known: new Set<string>() };
  const lookupPsks = ({ identities = [] }: { identities?: string[] }) => {
    batches.push(identities);
    if (state.failing) return Promise.reject(new RangeError('away'));
    const credentials = identities
      .filter((identity) => state.known.has(identity))
      .map((identity) => ({
        identity,
        psk: Uint8Array.of(1, 2, 3),
        endpoint: `urn:${identity}`,
        kind: common.DeviceKind.OBU,
        bootstrap: false,
      }));
    return Promise.resolve(create(provisioning.LookupPsksResponseSchema, { credentials }));
  };
  const client = {
    lookupPsks,
    lookupOwnCredentials: ({ references = [] }: { references?: string[] }) => {
      batches.push(references);
      const credentials = references.map((reference) => ({ reference, endpoint: 'urn:owned' }));
      return Promise.resolve(create(provisioning.LookupOwnCredentialsResponseSchema, { credentials }));
    },
  };
  const log = createEventLog({ service: 'test', level: 'silent' });
  return { runtime, batches, state, directory: new CredentialDirectory(client, runtime, log) };
}

test('asks for what comes together in one batch and for each identity once', async () => {
  const { runtime, batches, state, directory } = createBench();
  for (const name of ['a', 'b']) state.known.add(name);
  const found = Promise.all([
    directory.find('a'),
    directory.find('b'),
    directory.find('a'),
    directory.find('x'),
  ]);
  await runtime.advance(10);
  const [a, b, again, unknown] = await found;
  assert.deepEqual(batches, [['a', 'b', 'x']]);
  assert.deepEqual([a?.endpoint, a?.kind, b?.endpoint], ['urn:a', 'obu', 'urn:b']);
  assert.equal(again, a);
  assert.equal(unknown, undefined);
});

test('remembers keys for a while and unknown identities for a moment', async () => {
  const { runtime, batches, state, directory } = createBench();
  state.known.add('a');
  const first = Promise.all([directory.find('a'), directory.find('x')]);
  await runtime.advance(10);
  await first;
  assert.equal((await directory.find('a'))?.identity, 'a');
  assert.equal(await directory.find('x'), undefined);
  assert.equal(batches.length, 1);
  await runtime.advance(3000);
  state.known.add('x');
  const late = Promise.resolve(directory.find('x'));
  await runtime.advance(10);
  assert.equal((await late)?.identity, 'x');
  assert.equal(batches.length, 2);
  await runtime.advance(400_000);
  void directory.find('a');
  await runtime.advance(10);
  assert.equal(batches.length, 3);
});

test('says so when provisioning does not answer, and asks again next time', async () => {
  const { runtime, state, directory } = createBench();
  state.failing = true;
  const failed = assert.rejects(Promise.resolve(directory.find('a')), {
    code: 'LWM2M_CREDENTIALS_UNAVAILABLE',
  });
  await runtime.advance(10);
  await failed;
  state.failing = false;
  state.known.add('a');
  const found = Promise.resolve(directory.find('a'));
  await runtime.advance(10);
  assert.equal((await found)?.identity, 'a');
});

test('sends a full batch at once', async () => {
  const { runtime, batches, directory } = createBench();
  const all = Array.from({ length: 1200 }, (_, i) => Promise.resolve(directory.find(`id-${i}`)));
  assert.deepEqual(
    batches.map(({ length }) => length),
    [500, 500],
  );
  await runtime.advance(10);
  await Promise.all(all);
  assert.deepEqual(
    batches.map(({ length }) => length),
    [500, 500, 200],
  );
});

test('asks for credentials of owners by their references, apart from identities', async () => {
  const { runtime, batches, directory } = createBench();
  const found = Promise.all([directory.find('a'), directory.findOwn('authority:urn:owned')]);
  await runtime.advance(10);
  const [identity, own] = await found;
  assert.equal(identity, undefined);
  assert.equal(own?.endpoint, 'urn:owned');
  assert.deepEqual(batches, [['a'], ['authority:urn:owned']]);
});
