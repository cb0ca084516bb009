import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CODE, METHOD } from '../constants.ts';
import type { CoapRequest, ServerObservation } from '../request.ts';
import type { CoapReply, CoapResponse } from '../response.ts';
import type { ClientObservation } from '../endpoint.ts';
import { assertAtRest, lockstep, type LockstepWorld } from '../testing/lockstep.ts';

const { GET } = METHOD;
const TOKEN = Uint8Array.of(0x4a);
const state = (payload: string): CoapReply => ({ code: CODE.CONTENT, payload });

interface ObservedWorld extends LockstepWorld {
  readonly observation: () => ServerObservation;
  readonly ends: string[];
}

async function observed(settings = {}, limits = {}): Promise<ObservedWorld> {
  let observation: ServerObservation | undefined;
  const ends: string[] = [];
  const handler = (request: CoapRequest): CoapReply => {
    const accepted = request.observe?.accept();
    accepted?.onEnd((reason) => ends.push(reason));
    observation = accepted ?? observation;
    return state('first');
  };
  const world = lockstep({ handler, settings, limits });
  world.script.send({ type: 'CON', code: GET, messageId: 1, token: TOKEN, path: 't', observe: 0 });
  await world.script.expect({ type: 'ACK', code: CODE.CONTENT, token: TOKEN, observe: 2, payload: 'first' });
  assert.ok(observation);
  const found = observation;
  return { ...world, observation: () => observation ?? found, ends };
}

test('notifies with growing numbers, one in so many confirmable', async () => {
  const { script, observation } = await observed({ notificationConfirmEvery: 3 });
  const types = ['NON', 'NON', 'CON', 'NON', 'NON', 'CON'] as const;
  for (const [i, type] of types.entries()) {
    observation().notify(state(`n${i}`));
    const { messageId } = await script.expect({
      type,
      code: CODE.CONTENT,
      token: TOKEN,
      observe: 3 + i,
      payload: `n${i}`,
    });
    if (type === 'CON') script.send({ type: 'ACK', messageId });
  }
});

test('a day without a confirmable notification makes the next one confirmable', async () => {
  const { script, observation, runtime } = await observed();
  observation().notify(state('a'));
  await script.expect({ type: 'NON' });
  await runtime.advance(86_400_000);
  observation().notify(state('b'));
  await script.expect({ type: 'CON', payload: 'b' });
});

test('ends with a Reset to a NON, with one to a CON, with a deregistration, and when a CON is never acknowledged', async () => {
  const byNon = await observed();
  byNon.observation().notify(state('x'));
  const non = await byNon.script.expect({ type: 'NON' });
  byNon.script.send({ type: 'RST', messageId: non.messageId });
  await byNon.script.expectNothing(10);
  assert.deepEqual(byNon.ends, ['reset']);

  const byCon = await observed();
  byCon.observation().notify(state('x'), { confirmable: true });
  const con = await byCon.script.expect({ type: 'CON' });
  byCon.script.send({ type: 'RST', messageId: con.messageId });
  await byCon.script.expectNothing(10);
  assert.deepEqual(byCon.ends, ['reset']);

  const byRequest = await observed();
  byRequest.script.send({ type: 'CON', code: GET, messageId: 2, token: TOKEN, path: 't', observe: 1 });
  await byRequest.script.expect({ type: 'ACK', code: CODE.CONTENT, observe: null });
  assert.deepEqual(byRequest.ends, ['deregistered']);

  const byTime = await observed({ maxRetransmit: 0 });
  byTime.observation().notify(state('x'), { confirmable: true });
  await byTime.script.expect({ type: 'CON' });
  await byTime.script.expectNothing(4000);
  assert.deepEqual(byTime.ends, ['timeout']);
  await assertAtRest(byTime.runtime, byTime.endpoint);
});

test('the same token registers anew instead of twice', async () => {
  const { script, ends, endpoint } = await observed();
  script.send({ type: 'CON', code: GET, messageId: 2, token: TOKEN, path: 't', observe: 0 });
  await script.expect({ type: 'ACK', observe: 2 });
  assert.deepEqual(ends, ['replaced']);
  assert.equal(endpoint.open()['serverObservations'], 1);
});

test('while a confirmable notification is under way only the newest waits, unless each must be kept', async () => {
  const { script, observation } = await observed();
  const outcomes: string[] = [];
  const settled = (name: string) => (outcome: string) => outcomes.push(`${name} ${outcome}`);
  observation().notify(state('a'), { confirmable: true, settled: settled('a') });
  observation().notify(state('b'), { settled: settled('b') });
  observation().notify(state('keep'), { supersede: false, settled: settled('keep') });
  observation().notify(state('c'), { settled: settled('c') });
  const { messageId } = await script.expect({ type: 'CON', payload: 'a' });
  await script.expectNothing(500);
  assert.deepEqual(outcomes, ['b superseded']);
  script.send({ type: 'ACK', messageId });
  await script.expect({ type: 'NON', payload: 'keep' });
  await script.expect({ type: 'NON', payload: 'c' });
  assert.deepEqual(outcomes, ['b superseded', 'a acknowledged', 'keep sent', 'c sent']);
});

test('a queue of notifications that must be kept is bounded', async () => {
  const { observation } = await observed({}, { maxQueuedPerPeer: 2 });
  const outcomes: string[] = [];
  observation().notify(state('a'), { confirmable: true });
  for (let i = 0; i < 3; i++) {
    observation().notify(state('b'), { supersede: false, settled: (outcome) => outcomes.push(outcome) });
  }
  assert.deepEqual(outcomes, ['failed']);
});

test('an error response is sent and ends the observation', async () => {
  const { script, observation, ends } = await observed();
  observation().notify({ code: CODE.NOT_FOUND });
  await script.expect({ type: 'NON', code: CODE.NOT_FOUND, token: TOKEN, observe: null });
  assert.deepEqual(ends, ['ended']);
  observation().notify(state('late'));
  await script.expectNothing(100);
});

test('a handler that fails makes no observer, and too many are answered plainly', async () => {
  const failing = lockstep({
    handler: (request) => {
      request.observe?.accept();
      return { code: CODE.FORBIDDEN };
    },
  });
  failing.script.send({ type: 'CON', code: GET, messageId: 1, token: TOKEN, observe: 0 });
  await failing.script.expect({ type: 'ACK', code: CODE.FORBIDDEN, observe: null });
  assert.equal(failing.endpoint.open()['serverObservations'], 0);
  const full = await observed({}, { maxObservationsPerPeer: 1 });
  full.script.send({ type: 'CON', code: GET, messageId: 2, token: Uint8Array.of(1), observe: 0 });
  await full.script.expect({ type: 'ACK', code: CODE.CONTENT, observe: null });
});

test('a notification does not overtake the answer to its registration', async () => {
  const world = lockstep({
    handler: async (request) => {
      const observation = request.observe?.accept();
      observation?.notify(state('early'));
      await Promise.resolve();
      return state('first');
    },
  });
  world.script.send({ type: 'CON', code: GET, messageId: 1, token: TOKEN, observe: 0 });
  await world.script.expect({ type: 'ACK', payload: 'first', observe: 2 });
  await world.script.expect({ type: 'NON', payload: 'early', observe: 3 });
});

test('a large notification comes in blocks that the client fetches under another token', async () => {
  const { script, observation } = await observed({ blockSizeBytes: 16 });
  observation().notify(state('0123456789abcdefXYZ'));
  await script.expect({
    type: 'NON',
    token: TOKEN,
    observe: 3,
    block2: '0/1/16',
    payload: '0123456789abcdef',
  });
  script.send({ type: 'CON', code: GET, messageId: 5, token: Uint8Array.of(1), path: 't', block2: '1/0/16' });
  await script.expect({ type: 'ACK', observe: null, block2: '1/0/16', payload: 'XYZ' });
});

interface ClientWorld extends LockstepWorld {
  readonly seen: string[];
  readonly ends: string[];
  readonly observation: ClientObservation;
  readonly token: Uint8Array;
}

async function observing(taken?: () => Promise<void>): Promise<ClientWorld> {
  const world = lockstep();
  const seen: string[] = [];
  const ends: string[] = [];
  const listener = {
    notification: (response: CoapResponse) => {
      seen.push(response.text());
      return taken?.();
    },
    ended: (reason: string) => ends.push(reason),
  };
  const started = world.endpoint.observe(world.peer, { method: 'GET', path: 't' }, listener);
  const { messageId, token } = await world.script.expect({ type: 'CON', code: GET, path: 't', observe: 0 });
  world.script.send({ type: 'ACK', code: CODE.CONTENT, messageId, token, observe: 10, payload: 'first' });
  return { ...world, seen, ends, token, observation: await world.settle(started) };
}

test('client: takes notifications in order and leaves old and repeated ones out', async () => {
  const { script, seen, token, runtime } = await observing();
  const notify = async (messageId: number, observe: number, payload: string): Promise<void> => {
    script.send({ type: 'NON', code: CODE.CONTENT, messageId, token, observe, payload });
    await script.expectNothing(5);
  };
  await notify(1, 12, 'b');
  await notify(2, 11, 'late');
  await notify(3, 12, 'again');
  await notify(4, 200, 'c');
  assert.deepEqual(seen, ['b', 'c']);
  // RFC 7641 §3.4: after 128 seconds any number is new.
  await runtime.advance(129_000);
  await notify(5, 5, 'restarted');
  assert.deepEqual(seen, ['b', 'c', 'restarted']);
});

test('client: acknowledges confirmable notifications, older ones too', async () => {
  const { script, seen, token } = await observing();
  script.send({ type: 'CON', code: CODE.CONTENT, messageId: 1, token, observe: 9, payload: 'old' });
  await script.expect({ type: 'ACK', messageId: 1, code: 0 });
  assert.deepEqual(seen, []);
});

test('client: acknowledges a notification when its listener has it safe, once, and never one it has not', async () => {
  const safe: PromiseWithResolvers<void>[] = [];
  const { script, seen, token } = await observing(() => {
    safe.push(Promise.withResolvers());
    return safe.at(-1)?.promise ?? Promise.resolve();
  });
  const notify = (messageId: number, observe: number): void =>
    script.send({ type: 'CON', code: CODE.CONTENT, messageId, token, observe, payload: 'x' });
  notify(1, 11);
  await script.expectNothing(50);
  // Sent again meanwhile: neither told twice nor acknowledged.
  notify(1, 11);
  await script.expectNothing(50);
  safe[0]?.resolve();
  await script.expect({ type: 'ACK', messageId: 1, code: 0 });
  notify(1, 11);
  await script.expect({ type: 'ACK', messageId: 1, code: 0 });
  notify(2, 12);
  await script.expectNothing(5);
  safe[1]?.reject(new RangeError('disk full'));
  notify(2, 12);
  await script.expectNothing(50);
  assert.deepEqual(seen, ['x', 'x']);
});

test('client: an error response ends the observation', async () => {
  const { script, seen, ends, token, endpoint, runtime } = await observing();
  script.send({ type: 'CON', code: CODE.NOT_FOUND, messageId: 1, token });
  await script.expect({ type: 'ACK', messageId: 1 });
  assert.deepEqual([seen, ends], [[''], ['error-response']]);
  script.send({ type: 'NON', code: CODE.CONTENT, messageId: 2, token, observe: 30 });
  await script.expect({ type: 'RST', messageId: 2 });
  await assertAtRest(runtime, endpoint);
});

test('client: cancels by deregistration, with notifications crossing it, or by forgetting', async () => {
  const one = await observing();
  const cancelled = one.observation.cancel();
  const { messageId, token } = await one.script.expect({ type: 'CON', code: GET, path: 't', observe: 1 });
  one.script.send({ type: 'NON', code: CODE.CONTENT, messageId: 1, token, observe: 11, payload: 'crossing' });
  await one.script.expectNothing(5);
  one.script.send({ type: 'ACK', code: CODE.CONTENT, messageId, token, payload: 'last' });
  await one.script.expectNothing(5);
  await cancelled;
  assert.deepEqual(one.seen, []);
  await assertAtRest(one.runtime, one.endpoint);

  const two = await observing();
  await two.observation.cancel('forget');
  two.script.send({ type: 'NON', code: CODE.CONTENT, messageId: 1, token: two.token, observe: 11 });
  await two.script.expect({ type: 'RST', messageId: 1 });
  await assertAtRest(two.runtime, two.endpoint);
});

test('client: a server that does not take observers gives a plain answer', async () => {
  const { script, endpoint, peer, runtime, settle } = lockstep();
  const started = endpoint.observe(peer, { method: 'GET' }, () => {});
  const { messageId, token } = await script.expect({ type: 'CON', observe: 0 });
  script.send({ type: 'ACK', code: CODE.CONTENT, messageId, token, payload: 'plain' });
  await script.expectNothing(5);
  const observation = await settle(started);
  assert.equal(observation.active, false);
  assert.equal(observation.first.text(), 'plain');
  await assertAtRest(runtime, endpoint);
});

test('client: refresh registers again under the same token', async () => {
  const { script, observation, token, seen } = await observing();
  const refreshed = observation.refresh();
  const { messageId } = await script.expect({ type: 'CON', token, observe: 0 });
  script.send({ type: 'ACK', code: CODE.CONTENT, messageId, token, observe: 12, payload: 'again' });
  await script.expectNothing(5);
  assert.equal((await refreshed).text(), 'again');
  assert.deepEqual(seen, []);
});

test('client: the blocks of an outdated notification are not delivered behind a newer one', async () => {
  const { script, seen, token } = await observing();
  script.send({
    type: 'NON',
    code: CODE.CONTENT,
    messageId: 1,
    token,
    observe: 11,
    block2: '0/1/16',
    payload: 'x'.repeat(16),
  });
  const follow = await script.expect({ type: 'CON', block2: '1/0/16', observe: null });
  script.send({ type: 'NON', code: CODE.CONTENT, messageId: 2, token, observe: 12, payload: 'newer' });
  await script.expectNothing(5);
  script.send({
    type: 'ACK',
    code: CODE.CONTENT,
    messageId: follow.messageId,
    token: follow.token,
    block2: '1/0/16',
    payload: 'y',
  });
  await script.expectNothing(5);
  assert.deepEqual(seen, ['newer']);
});

test('client: a deregistration that is answered with a notification ends all the same', async () => {
  const { script, observation, endpoint, runtime, settle } = await observing();
  const cancelled = assert.rejects(observation.cancel(), { code: 'COAP_TIMEOUT' });
  const { messageId, token } = await script.expect({ type: 'CON', observe: 1 });
  script.send({ type: 'ACK', code: CODE.CONTENT, messageId, token, observe: 11 });
  await settle(cancelled);
  await assertAtRest(runtime, endpoint);
});

test('client: a registration whose answer cannot be fetched whole leaves nothing behind', async () => {
  const { script, endpoint, peer, runtime, settle } = lockstep();
  const started = assert.rejects(
    endpoint.observe(peer, { method: 'GET' }, () => {}),
    { code: 'COAP_BLOCK_REFUSED' },
  );
  const { messageId, token } = await script.expect({ type: 'CON', observe: 0 });
  const payload = 'too short for a block';
  script.send({ type: 'ACK', code: CODE.CONTENT, messageId, token, observe: 1, block2: '0/1/1024', payload });
  await settle(started);
  await assertAtRest(runtime, endpoint);
});
