import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CODE, METHOD, OPTION } from '../constants.ts';
import { encodeText } from '../codec/option.ts';
import { assertAtRest, lockstep } from '../testing/lockstep.ts';

const { GET, PUT, FETCH } = METHOD;
const text = (length: number): string => 'abcdefghij'.repeat(length / 10);

test('client: sends a body in blocks, in smaller ones from where the server asks for it', async () => {
  const { script, endpoint, peer, runtime, settle } = lockstep({ settings: { blockSizeBytes: 32 } });
  const request = endpoint.request(peer, { method: 'PUT', path: 'up', payload: text(70) });
  const size1 = [{ number: OPTION.SIZE1, value: Uint8Array.of(70) }];
  const one = await script.expect({
    type: 'CON',
    code: PUT,
    block1: '0/1/32',
    payload: text(70).slice(0, 32),
    options: size1,
  });
  script.send({
    type: 'ACK',
    code: CODE.CONTINUE,
    messageId: one.messageId,
    token: one.token,
    block1: '0/1/16',
  });
  for (const [num, from] of [
    [2, 32],
    [3, 48],
  ] as const) {
    const next = await script.expect({
      type: 'CON',
      block1: `${num}/1/16`,
      payload: text(70).slice(from, from + 16),
    });
    script.send({
      type: 'ACK',
      code: CODE.CONTINUE,
      messageId: next.messageId,
      token: next.token,
      block1: `${num}/1/16`,
    });
  }
  const last = await script.expect({ type: 'CON', block1: '4/0/16', payload: text(70).slice(64) });
  script.send({
    type: 'ACK',
    code: CODE.CHANGED,
    messageId: last.messageId,
    token: last.token,
    block1: '4/0/16',
  });
  assert.equal((await settle(request)).code, CODE.CHANGED);
  await assertAtRest(runtime, endpoint);
});

test('client: starts anew with a Request-Tag after 4.08, and with a smaller size after 4.13', async () => {
  const { script, endpoint, peer, settle } = lockstep({ settings: { blockSizeBytes: 32 } });
  const request = endpoint.request(peer, { method: 'PUT', payload: text(40) });
  const one = await script.expect({ type: 'CON', block1: '0/1/32' });
  script.send({
    type: 'ACK',
    code: CODE.REQUEST_ENTITY_INCOMPLETE,
    messageId: one.messageId,
    token: one.token,
  });
  const two = await script.expect({
    type: 'CON',
    block1: '0/1/32',
    options: [{ number: OPTION.REQUEST_TAG, value: Uint8Array.of(1) }],
  });
  script.send({
    type: 'ACK',
    code: CODE.REQUEST_ENTITY_TOO_LARGE,
    messageId: two.messageId,
    token: two.token,
    block1: '0/1/16',
  });
  const three = await script.expect({
    type: 'CON',
    block1: '0/1/16',
    options: [{ number: OPTION.REQUEST_TAG, value: Uint8Array.of(2) }],
  });
  script.send({ type: 'ACK', code: CODE.FORBIDDEN, messageId: three.messageId, token: three.token });
  assert.equal((await settle(request)).code, CODE.FORBIDDEN);
});

test('client: a body refused whole with 4.13 and a size goes in blocks of it', async () => {
  const { script, endpoint, peer, settle } = lockstep();
  const request = endpoint.request(peer, { method: 'PUT', payload: text(20) });
  const one = await script.expect({ type: 'CON', block1: null });
  script.send({
    type: 'ACK',
    code: CODE.REQUEST_ENTITY_TOO_LARGE,
    messageId: one.messageId,
    token: one.token,
    block1: '0/0/16',
  });
  const two = await script.expect({ type: 'CON', block1: '0/1/16' });
  script.send({
    type: 'ACK',
    code: CODE.CONTINUE,
    messageId: two.messageId,
    token: two.token,
    block1: '0/1/16',
  });
  const three = await script.expect({ type: 'CON', block1: '1/0/16' });
  script.send({
    type: 'ACK',
    code: CODE.CHANGED,
    messageId: three.messageId,
    token: three.token,
    block1: '1/0/16',
  });
  assert.equal((await settle(request)).code, CODE.CHANGED);
});

for (const [name, answer] of [
  ['another number', { code: CODE.CONTINUE, block1: '5/1/16' }],
  ['2.31 without Block1', { code: CODE.CONTINUE }],
] as const) {
  test(`client: gives up an upload that is answered with ${name}`, async () => {
    const { script, endpoint, peer, settle } = lockstep({ settings: { blockSizeBytes: 16 } });
    const request = assert.rejects(endpoint.request(peer, { method: 'PUT', payload: text(40) }), {
      code: 'COAP_BLOCK_REFUSED',
    });
    const { messageId, token } = await script.expect({ type: 'CON', block1: '0/1/16' });
    script.send({ type: 'ACK', messageId, token, ...answer });
    await script.expectNothing(10);
    await settle(request);
  });
}

test('client: fetches the blocks of a response, and starts anew when its ETag changes', async () => {
  const { script, endpoint, peer, settle } = lockstep();
  const request = endpoint.request(peer, { method: 'GET', path: 'f', query: ['q'] });
  const etag = (value: number) => [{ number: OPTION.ETAG, value: Uint8Array.of(value) }];
  const answer = async (
    expected: string | null,
    block2: string,
    payload: string,
    tag: number,
  ): Promise<void> => {
    const { messageId, token } = await script.expect({ type: 'CON', code: GET, path: 'f', block2: expected });
    script.send({ type: 'ACK', code: CODE.CONTENT, messageId, token, block2, payload, options: etag(tag) });
  };
  await answer(null, '0/1/16', 'a'.repeat(16), 1);
  await answer('1/0/16', '1/1/16', 'b'.repeat(16), 2);
  await answer('0/0/1024', '0/1/16', 'c'.repeat(16), 2);
  await answer('1/0/16', '1/0/16', 'd', 2);
  const response = await settle(request);
  assert.equal(response.text(), `${'c'.repeat(16)}d`);
  assert.deepEqual(response.etag, Uint8Array.of(2));
});

test('client: bounds the body that it puts together', async () => {
  const { script, endpoint, peer, settle } = lockstep({ limits: { maxBodyBytes: 40 } });
  const request = assert.rejects(endpoint.request(peer, { method: 'GET' }), { code: 'COAP_BODY_TOO_LARGE' });
  for (let i = 0; i < 3; i++) {
    const { messageId, token } = await script.expect({ type: 'CON' });
    script.send({
      type: 'ACK',
      code: CODE.CONTENT,
      messageId,
      token,
      block2: `${i}/1/16`,
      payload: 'x'.repeat(16),
    });
  }
  await script.expectNothing(10);
  await settle(request);
  const announced = assert.rejects(endpoint.request(peer, { method: 'GET' }), {
    code: 'COAP_BODY_TOO_LARGE',
  });
  const { messageId, token } = await script.expect({ type: 'CON' });
  const size2 = [{ number: OPTION.SIZE2, value: Uint8Array.of(41) }];
  script.send({
    type: 'ACK',
    code: CODE.CONTENT,
    messageId,
    token,
    block2: '0/1/16',
    payload: 'x'.repeat(16),
    options: size2,
  });
  await script.expectNothing(10);
  await settle(announced);
});

for (const [name, block2, payload] of [
  ['a block out of order', '2/1/16', 'x'.repeat(16)],
  ['no block at all', null, 'x'],
  ['a block that is too short', '1/1/16', 'x'],
  ['a block without a byte', '1/1/16', ''],
] as const) {
  test(`client: gives up a download that goes on with ${name}`, async () => {
    const { script, endpoint, peer, settle } = lockstep();
    const request = assert.rejects(endpoint.request(peer, { method: 'GET' }), { code: 'COAP_BLOCK_REFUSED' });
    const one = await script.expect({ type: 'CON' });
    script.send({
      type: 'ACK',
      code: CODE.CONTENT,
      messageId: one.messageId,
      token: one.token,
      block2: '0/1/16',
      payload: 'x'.repeat(16),
    });
    const two = await script.expect({ type: 'CON', block2: '1/0/16' });
    script.send({
      type: 'ACK',
      code: CODE.CONTENT,
      messageId: two.messageId,
      token: two.token,
      block2,
      payload,
    });
    await script.expectNothing(10);
    await settle(request);
  });
}

test('client: blockSize asks for small blocks in the first request', async () => {
  const { script, endpoint, peer, settle } = lockstep();
  const request = endpoint.request(peer, { method: 'GET', blockSize: 64 });
  const { messageId, token } = await script.expect({ type: 'CON', block2: '0/0/64' });
  script.send({ type: 'ACK', code: CODE.CONTENT, messageId, token, block2: '0/0/64', payload: 'x' });
  assert.equal((await settle(request)).text(), 'x');
});

test('the body of a FETCH goes along with the requests for later blocks', async () => {
  const { script, endpoint, peer, settle } = lockstep();
  const request = endpoint.request(peer, { method: 'FETCH', payload: 'selector' });
  const one = await script.expect({ type: 'CON', code: FETCH, payload: 'selector' });
  script.send({
    type: 'ACK',
    code: CODE.CONTENT,
    messageId: one.messageId,
    token: one.token,
    block2: '0/1/16',
    payload: 'x'.repeat(16),
  });
  const two = await script.expect({ type: 'CON', code: FETCH, block2: '1/0/16', payload: 'selector' });
  script.send({
    type: 'ACK',
    code: CODE.CONTENT,
    messageId: two.messageId,
    token: two.token,
    block2: '1/0/16',
    payload: 'y',
  });
  assert.equal((await settle(request)).payload.length, encodeText('x'.repeat(16)).length + 1);
});

test('client: two bodies on their way to one peer are told apart by Request-Tag', async () => {
  const { script, endpoint, peer, settle } = lockstep({ settings: { blockSizeBytes: 16, nstart: 2 } });
  const requests = ['a', 'b'].map((letter) =>
    endpoint.request(peer, { method: 'PUT', path: 'up', payload: letter.repeat(20) }),
  );
  const tag = [{ number: OPTION.REQUEST_TAG, value: Uint8Array.of(1) }];
  const first = await script.expect({ type: 'CON', payload: 'a'.repeat(16) });
  const second = await script.expect({ type: 'CON', payload: 'b'.repeat(16), options: tag });
  assert.equal(
    first.options.some(({ number }) => number === OPTION.REQUEST_TAG),
    false,
  );
  for (const { messageId, token } of [first, second]) {
    script.send({ type: 'ACK', code: CODE.FORBIDDEN, messageId, token });
  }
  await settle(Promise.all(requests));
});
