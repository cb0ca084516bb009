import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CODE, METHOD, OPTION } from '../constants.ts';
import type { CoapReply } from '../response.ts';
import type { CoapRequest } from '../request.ts';
import { decodeText, decodeUint, findOption } from '../codec/option.ts';
import { assertAtRest, lockstep } from '../testing/lockstep.ts';

const { GET, POST, PUT, FETCH } = METHOD;
const TOKEN = Uint8Array.of(9);
const echo = (request: CoapRequest): CoapReply => ({
  code: CODE.CHANGED,
  payload: decodeText(request.payload),
});
const text = (length: number): string => 'abcdefghij'.repeat(length / 10);

test('serves a large representation in blocks of its own size, with one ETag', async () => {
  let calls = 0;
  const handler = (): CoapReply => ({ code: CODE.CONTENT, payload: text(150), contentFormat: calls++ });
  const { script, endpoint, runtime } = lockstep({ handler, settings: { blockSizeBytes: 64 } });
  script.send({ type: 'CON', code: GET, messageId: 1, token: TOKEN, path: 'big' });
  const first = await script.expect({
    type: 'ACK',
    code: CODE.CONTENT,
    block2: '0/1/64',
    payload: text(150).slice(0, 64),
  });
  assert.equal(decodeUint(findOption(first.options, OPTION.SIZE2) ?? TOKEN), 150);
  const etag = findOption(first.options, OPTION.ETAG);
  assert.ok(etag);
  const options = [{ number: OPTION.ETAG, value: etag }];
  script.send({ type: 'CON', code: GET, messageId: 2, token: TOKEN, path: 'big', block2: '1/0/64' });
  await script.expect({ type: 'ACK', block2: '1/1/64', payload: text(150).slice(64, 128), options });
  script.send({ type: 'CON', code: GET, messageId: 3, token: TOKEN, path: 'big', block2: '2/0/64' });
  await script.expect({ type: 'ACK', block2: '2/0/64', payload: text(150).slice(128), options });
  assert.equal(calls, 1);
  script.send({ type: 'CON', code: GET, messageId: 4, token: TOKEN, path: 'big', block2: '3/0/64' });
  await script.expect({ type: 'ACK', code: CODE.BAD_REQUEST });
  await assertAtRest(runtime, endpoint);
});

test('early negotiation: the client asks for small blocks in its first request', async () => {
  const { script } = lockstep({ handler: () => ({ code: CODE.CONTENT, payload: text(40) }) });
  script.send({ type: 'CON', code: GET, messageId: 1, path: 'b', block2: '0/0/32' });
  await script.expect({ type: 'ACK', block2: '0/1/32', payload: text(40).slice(0, 32) });
  script.send({ type: 'CON', code: GET, messageId: 2, path: 'b', block2: '1/0/32' });
  await script.expect({ type: 'ACK', block2: '1/0/32', payload: text(40).slice(32) });
});

test('late negotiation: the client goes on in smaller blocks', async () => {
  const { script } = lockstep({
    handler: () => ({ code: CODE.CONTENT, payload: text(150) }),
    settings: { blockSizeBytes: 64 },
  });
  script.send({ type: 'CON', code: GET, messageId: 1, path: 'b' });
  await script.expect({ type: 'ACK', block2: '0/1/64' });
  script.send({ type: 'CON', code: GET, messageId: 2, path: 'b', block2: '4/0/16' });
  await script.expect({ type: 'ACK', block2: '4/1/16', payload: text(150).slice(64, 80) });
});

test('a small answer to a request with Block2 says that it is whole', async () => {
  const { script } = lockstep({ handler: () => ({ code: CODE.CONTENT, payload: 'x' }) });
  script.send({ type: 'CON', code: GET, messageId: 1, block2: '0/0/64' });
  await script.expect({ type: 'ACK', code: CODE.CONTENT, block2: '0/0/64', payload: 'x' });
});

test('a later block of a GET that is no longer kept is made anew; of a POST it is refused', async () => {
  const { script } = lockstep({ handler: () => ({ code: CODE.CONTENT, payload: text(150) }) });
  script.send({ type: 'CON', code: GET, messageId: 1, path: 'b', block2: '1/0/64' });
  await script.expect({
    type: 'ACK',
    code: CODE.CONTENT,
    block2: '1/1/64',
    payload: text(150).slice(64, 128),
  });
  script.send({ type: 'CON', code: POST, messageId: 2, path: 'b', block2: '1/0/64' });
  await script.expect({ type: 'ACK', code: CODE.REQUEST_ENTITY_INCOMPLETE });
  script.send({ type: 'CON', code: FETCH, messageId: 3, path: 'b', block2: '1/0/64' });
  await script.expect({ type: 'ACK', code: CODE.CONTENT, block2: '1/1/64' });
});

test('puts a request body together and answers the last block', async () => {
  const { script, endpoint, runtime } = lockstep({ handler: echo });
  const send = (messageId: number, block1: string, payload: string) =>
    script.send({ type: 'CON', code: PUT, messageId, token: TOKEN, path: 'up', block1, payload });
  send(1, '0/1/16', text(40).slice(0, 16));
  await script.expect({ type: 'ACK', code: CODE.CONTINUE, block1: '0/1/16', token: TOKEN, payload: '' });
  send(2, '1/1/16', text(40).slice(16, 32));
  await script.expect({ type: 'ACK', code: CODE.CONTINUE, block1: '1/1/16' });
  send(2, '1/1/16', text(40).slice(16, 32));
  await script.expect({ type: 'ACK', code: CODE.CONTINUE, block1: '1/1/16' });
  send(3, '2/0/16', text(40).slice(32));
  await script.expect({ type: 'ACK', code: CODE.CHANGED, block1: '2/0/16', payload: text(40) });
  await assertAtRest(runtime, endpoint);
});

test('asks for smaller blocks than the client proposes', async () => {
  const { script } = lockstep({ handler: echo, settings: { blockSizeBytes: 16 } });
  script.send({ type: 'CON', code: PUT, messageId: 1, block1: '0/1/32', payload: text(40).slice(0, 32) });
  await script.expect({ type: 'ACK', code: CODE.CONTINUE, block1: '0/1/16' });
  script.send({ type: 'CON', code: PUT, messageId: 2, block1: '2/0/16', payload: text(40).slice(32) });
  await script.expect({ type: 'ACK', code: CODE.CHANGED, block1: '2/0/16', block2: '0/1/16' });
});

test('a block without those before it gets 4.08 and forgets the transfer', async () => {
  const { script, endpoint } = lockstep({ handler: echo });
  script.send({ type: 'CON', code: PUT, messageId: 1, block1: '1/1/16', payload: text(20).slice(0, 16) });
  await script.expect({ type: 'ACK', code: CODE.REQUEST_ENTITY_INCOMPLETE });
  script.send({ type: 'CON', code: PUT, messageId: 2, block1: '0/1/16', payload: text(20).slice(0, 16) });
  await script.expect({ type: 'ACK', code: CODE.CONTINUE });
  script.send({ type: 'CON', code: PUT, messageId: 3, block1: '2/1/16', payload: text(20).slice(0, 16) });
  await script.expect({ type: 'ACK', code: CODE.REQUEST_ENTITY_INCOMPLETE });
  assert.equal(endpoint.open()['bodies'], 0);
});

test('a block of wrong length gets 4.00, and the reserved size too', async () => {
  const { script } = lockstep({ handler: echo });
  script.send({ type: 'CON', code: PUT, messageId: 1, block1: '0/1/16', payload: 'short' });
  await script.expect({ type: 'ACK', code: CODE.BAD_REQUEST });
  script.send({ type: 'CON', code: PUT, messageId: 2, block1: '0/0/16', payload: text(20) });
  await script.expect({ type: 'ACK', code: CODE.BAD_REQUEST });
  const reserved = [{ number: OPTION.BLOCK1, value: Uint8Array.of(0x07) }];
  script.send({ type: 'CON', code: PUT, messageId: 3, options: reserved, payload: 'x' });
  await script.expect({ type: 'ACK', code: CODE.BAD_REQUEST });
});

test('a body above the limit of its path gets 4.13 with the limit, at the first block when its size is said', async () => {
  const maxRequestBodyBytes = ({ path }: { readonly path: string }): number =>
    path === '/small' ? 32 : 1000;
  const { script } = lockstep({ handler: echo, maxRequestBodyBytes });
  const limit = [{ number: OPTION.SIZE1, value: Uint8Array.of(32) }];
  const size1 = [{ number: OPTION.SIZE1, value: Uint8Array.of(33) }];
  script.send({
    type: 'CON',
    code: PUT,
    messageId: 1,
    path: 'small',
    block1: '0/1/16',
    payload: text(20).slice(0, 16),
    options: size1,
  });
  await script.expect({ type: 'ACK', code: CODE.REQUEST_ENTITY_TOO_LARGE, options: limit });
  for (const [i, code] of [CODE.CONTINUE, CODE.CONTINUE, CODE.REQUEST_ENTITY_TOO_LARGE].entries()) {
    script.send({
      type: 'CON',
      code: PUT,
      messageId: 2 + i,
      path: 'small',
      block1: `${i}/1/16`,
      payload: text(20).slice(0, 16),
    });
    await script.expect({ type: 'ACK', code });
  }
});

test('Request-Tag keeps two bodies to one resource apart', async () => {
  const { script } = lockstep({ handler: echo });
  const tag = (value: number) => [{ number: OPTION.REQUEST_TAG, value: Uint8Array.of(value) }];
  let messageId = 0;
  const send = (value: number, block1: string, payload: string) =>
    script.send({
      type: 'CON',
      code: PUT,
      messageId: ++messageId,
      path: 'up',
      block1,
      payload,
      options: tag(value),
    });
  send(1, '0/1/16', 'A'.repeat(16));
  await script.expect({ type: 'ACK', code: CODE.CONTINUE });
  send(2, '0/1/16', 'B'.repeat(16));
  await script.expect({ type: 'ACK', code: CODE.CONTINUE });
  send(1, '1/0/16', 'a');
  await script.expect({ type: 'ACK', code: CODE.CHANGED, block2: null, payload: `${'A'.repeat(16)}a` });
  send(2, '1/0/16', 'b');
  await script.expect({ type: 'ACK', code: CODE.CHANGED, payload: `${'B'.repeat(16)}b` });
});

test('forgets transfers that nobody continues, and keeps no more than its limits', async () => {
  const { script, endpoint, runtime } = lockstep({ handler: echo, limits: { maxBlockwiseTransfers: 3 } });
  for (let i = 0; i < 5; i++) {
    script.send({
      type: 'CON',
      code: PUT,
      messageId: i,
      path: `p${i}`,
      block1: '0/1/16',
      payload: 'A'.repeat(16),
    });
    await script.expect({ type: 'ACK', code: CODE.CONTINUE });
  }
  assert.equal(endpoint.open()['bodies'], 3);
  assert.equal(endpoint.counters()['blockwise.evicted'], 2);
  await assertAtRest(runtime, endpoint);
});
