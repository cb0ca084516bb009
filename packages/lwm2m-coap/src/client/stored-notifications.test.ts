import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CODE } from '@sefleet/coap';
import type { CoapResponse } from '@sefleet/coap';
import { CONTENT_FORMAT, decodeContent } from '@sefleet/lwm2m';
import { models, path, World } from './client-world.test.ts';
import type { Lwm2mClientSettings } from './settings.ts';

/** Core appendix E.2, resource 6 of Server: what a server could not be told, it is told later. */
const TEMPERATURE = '/3303/0/5700';
const MINUTE_MS = 60_000;

async function observedWorld(
  settings: Partial<Lwm2mClientSettings> = {},
  accept: number = CONTENT_FORMAT.SENML_CBOR,
) {
  const world = new World({ reconnectSpreadMs: 0, ...settings }).withAccounts(86_400);
  await world.run(world.client.start());
  const told: string[] = [];
  const firsts: string[] = [];
  const observe = async (): Promise<void> => {
    assert.ok(world.device);
    const init = { method: 'GET', path: TEMPERATURE, accept } as const;
    const { first } = await world.run(
      world.server.observe(world.device, init, (response) => told.push(said(response))),
    );
    firsts.push(said(first));
  };
  await observe();
  const measure = async (...values: number[]): Promise<void> => {
    for (const value of values) {
      await world.runtime.advance(MINUTE_MS);
      world.tree.instance(3303, 0)?.set(5700, value);
    }
    await world.runtime.advance(10_000);
  };
  const goOffline = (): void => {
    world.refuses = new Error('no network');
    world.lose?.('no network');
  };
  const comeBack = async (): Promise<void> => {
    world.refuses = undefined;
    world.client.update();
    await world.runtime.runUntil(() => world.client.servers()[0]?.state === 'registered', 7_200_000);
  };
  return { world, told, firsts, observe, measure, goOffline, comeBack };
}

/** Values in their order; `@` before one that tells when it was measured. */
function said({ code, contentFormat, payload }: CoapResponse): string {
  if (code !== CODE.CONTENT || contentFormat === CONTENT_FORMAT.TEXT) return Buffer.from(payload).toString();
  const entries = decodeContent(CONTENT_FORMAT.SENML_CBOR, path(TEMPERATURE), payload, models);
  const times = entries.map(({ timeSeconds }) => timeSeconds ?? Infinity);
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
    'in the order of their times',
  );
  return entries
    .map(({ value, timeSeconds }) => `${timeSeconds === undefined ? '' : '@'}${Number(value)}`)
    .join(' ');
}

test('what changed without a connection is told when the server asks again, with its times', async () => {
  const { world, told, firsts, observe, measure, goOffline, comeBack } = await observedWorld();
  await measure(21);
  goOffline();
  await measure(22, 23);
  assert.equal(world.client.observationCount, 0);
  await comeBack();
  await observe();
  await world.runtime.advance(1_000);
  await measure(24);
  assert.deepEqual(told, ['21', '@22 @23', '24']);
  assert.deepEqual(firsts, ['20.5', '23']);
});

test('what changed while the account was disabled is told when it is enabled', async () => {
  const { world, told, firsts, observe, measure } = await observedWorld();
  world.tree.instance(1, 0)?.set(5, 600);
  assert.equal((await world.ask({ method: 'POST', path: '/1/0/4' })).code, CODE.CHANGED);
  await measure(21, 22);
  assert.equal(world.client.servers()[0]?.state, 'disabled');
  await world.runtime.runUntil(() => world.client.servers()[0]?.state === 'registered', 700_000);
  await observe();
  await measure();
  assert.deepEqual(told, ['@21 @22']);
  assert.deepEqual(firsts, ['20.5', '22']);
});

test('attributes decide what is kept, too', async () => {
  const { world, told, firsts, observe, measure, goOffline, comeBack } = await observedWorld();
  await world.ask({ method: 'PUT', path: TEMPERATURE, query: ['gt=25'] });
  goOffline();
  await measure(22, 26, 27, 24);
  await comeBack();
  await observe();
  await measure();
  assert.deepEqual(told, ['@26 @24']);
  assert.deepEqual(firsts, ['20.5', '24']);
});

test('a format without times is told one by one, the present value last', async () => {
  const { told, firsts, observe, measure, goOffline, comeBack } = await observedWorld(
    {},
    CONTENT_FORMAT.TEXT,
  );
  goOffline();
  await measure(22, 23);
  await comeBack();
  await observe();
  await measure();
  assert.deepEqual(told, ['22', '23']);
  assert.deepEqual(firsts, ['20.5', '23']);
});

test('keeps the newest ones, as many as the settings say', async () => {
  const { told, firsts, observe, measure, goOffline, comeBack } = await observedWorld({
    storedNotificationsMax: 3,
  });
  goOffline();
  await measure(1, 2, 3, 4, 5);
  await comeBack();
  await observe();
  await measure();
  assert.deepEqual(told, ['@3 @4 @5']);
  assert.deepEqual(firsts, ['20.5', '5']);
});

test('an account that wants none gets none, even if that is said while some are kept', async () => {
  for (const when of ['before', 'after'] as const) {
    const { world, told, firsts, observe, measure, goOffline, comeBack } = await observedWorld();
    const refuse = (): void => world.tree.instance(1, 0)?.set(6, false);
    if (when === 'before') refuse();
    goOffline();
    await measure(22, 23);
    if (when === 'after') refuse();
    await comeBack();
    await observe();
    await measure();
    assert.deepEqual(told, []);
    assert.deepEqual(firsts, ['20.5', '23']);
  }
});

test('a server that does not ask again in a whole registration is not waited for any longer', async () => {
  const { told, firsts, observe, measure, goOffline, comeBack } = await observedWorld();
  goOffline();
  await measure(22);
  await comeBack();
  goOffline();
  await measure(23);
  await comeBack();
  await observe();
  await measure();
  assert.deepEqual(told, []);
  assert.deepEqual(firsts, ['20.5', '23']);
});

test('a notification that is never acknowledged makes the device register anew, and is told then', async () => {
  const { world, told, firsts, observe, measure } = await observedWorld({ confirmableNotifications: true });
  world.network.conditions = { ...world.network.conditions, loss: 1 };
  await measure(22, 23);
  const registers = (): number => world.requests.filter((request) => request.path === '/rd').length;
  assert.equal(registers(), 1);
  await world.runtime.advance(MINUTE_MS);
  world.network.conditions = { ...world.network.conditions, loss: 0 };
  await world.runtime.runUntil(() => registers() > 1, 7_200_000);
  await world.runtime.runUntil(() => world.client.servers()[0]?.state === 'registered', 1_000);
  await observe();
  await measure();
  assert.deepEqual(told, ['@22 @23']);
  assert.deepEqual(firsts, ['20.5', '23']);
});

test('a cancelled observation keeps nothing', async () => {
  const world = new World({ reconnectSpreadMs: 0 }).withAccounts(86_400);
  await world.run(world.client.start());
  assert.ok(world.device);
  const told: string[] = [];
  const init = { method: 'GET', path: TEMPERATURE, accept: CONTENT_FORMAT.SENML_CBOR } as const;
  const asked = world.server.observe(world.device, init, (response) => told.push(said(response)));
  await world.run((await world.run(asked)).cancel());
  world.tree.instance(3303, 0)?.set(5700, 30);
  world.lose?.('gone');
  await world.runtime.runUntil(() => world.connections === 2, MINUTE_MS);
  await world.runtime.advance(1_000);
  await world.run(world.server.observe(world.device, init, (response) => told.push(said(response))));
  await world.runtime.advance(1_000);
  assert.deepEqual(told, []);
});
