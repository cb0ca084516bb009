import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '@sefleet/bytes';
import { CODE, METHOD, OPTION } from '../constants.ts';
import type { CoapReply } from '../response.ts';
import { assertAtRest, lockstep, settled } from '../testing/lockstep.ts';

const { GET, POST } = METHOD;
const TOKEN = Uint8Array.of(7, 8);
const content = (): CoapReply => ({ code: CODE.CONTENT, payload: 'here' });

test('retransmits with doubling time-outs and gives up after MAX_RETRANSMIT', async () => {
  const { runtime, endpoint, script, peer } = lockstep();
  const request = endpoint.request(peer, { method: 'GET', path: 'a' });
  const times: number[] = [];
  let first: number | undefined;
  for (let i = 0; i < 5; i++) {
    const { atMs, messageId } = await script.expect({ type: 'CON', code: GET, path: 'a' }, 50_000);
    times.push(atMs);
    first ??= messageId;
    assert.equal(messageId, first, 'a retransmission keeps its message id');
  }
  const gaps = times.slice(1).map((time, i) => time - (times[i] ?? 0));
  const [gap = 0] = gaps;
  assert.ok(gap >= 2000 && gap <= 3000, `first time-out ${gap} ms`);
  for (const [i, next] of gaps.entries())
    assert.ok(Math.abs(next - gap * 2 ** i) < 1, `gap ${i}: ${next} ms`);
  await assert.rejects(settled(runtime, request), { code: 'COAP_TIMEOUT' });
  await assertAtRest(runtime, endpoint);
});

test('an acknowledgement stops the retransmissions, and a separate response is acknowledged', async () => {
  const { runtime, endpoint, script, peer } = lockstep();
  const request = endpoint.request(peer, { method: 'GET', path: 'slow' });
  const { messageId, token } = await script.expect({ type: 'CON', code: GET });
  script.send({ type: 'ACK', messageId });
  await script.expectNothing(20_000);
  script.send({ type: 'CON', code: CODE.CONTENT, messageId: 99, token, payload: 'late' });
  await script.expect({ type: 'ACK', code: 0, messageId: 99 });
  assert.equal((await settled(runtime, request)).text(), 'late');
  // RFC 7252 §4.5: the same confirmable response again gets the same acknowledgement.
  script.send({ type: 'CON', code: CODE.CONTENT, messageId: 99, token, payload: 'late' });
  await script.expect({ type: 'ACK', code: 0, messageId: 99 });
  await assertAtRest(runtime, endpoint);
});

test('a response that overtakes its acknowledgement ends the exchange', async () => {
  const { runtime, endpoint, script, peer } = lockstep();
  const request = endpoint.request(peer, { method: 'GET' });
  const { token } = await script.expect({ type: 'CON', code: GET });
  script.send({ type: 'NON', code: CODE.CONTENT, messageId: 5, token });
  assert.equal((await settled(runtime, request)).code, CODE.CONTENT);
  await script.expectNothing(100_000);
  await assertAtRest(runtime, endpoint);
});

test('a client waits no longer than responseTimeoutMs for a separate response', async () => {
  const { runtime, endpoint, script, peer } = lockstep({ settings: { responseTimeoutMs: 5000 } });
  const request = endpoint.request(peer, { method: 'GET' });
  const { messageId } = await script.expect({ type: 'CON' });
  script.send({ type: 'ACK', messageId });
  await assert.rejects(settled(runtime, request, 5100), { code: 'COAP_TIMEOUT' });
  const non = endpoint.request(peer, { method: 'GET', confirmable: false });
  await script.expect({ type: 'NON', code: GET });
  await assert.rejects(settled(runtime, non, 5100), { code: 'COAP_TIMEOUT' });
  await assertAtRest(runtime, endpoint);
});

test('a Reset rejects the request', async () => {
  const { runtime, endpoint, script, peer } = lockstep();
  const request = endpoint.request(peer, { method: 'GET' });
  const { messageId } = await script.expect({ type: 'CON' });
  script.send({ type: 'RST', messageId });
  await assert.rejects(settled(runtime, request), { code: 'COAP_RESET' });
  await assertAtRest(runtime, endpoint);
});

test('a piggybacked response with another token is ignored', async () => {
  const { runtime, endpoint, script, peer } = lockstep();
  const request = endpoint.request(peer, { method: 'GET' });
  const { messageId, token } = await script.expect({ type: 'CON' });
  script.send({ type: 'ACK', code: CODE.CONTENT, messageId, token: TOKEN, payload: 'forged' });
  await runtime.advance(10);
  script.send({ type: 'ACK', code: CODE.CONTENT, messageId, token, payload: 'true' });
  assert.equal((await settled(runtime, request)).text(), 'true');
});

test('a response nobody waits for is refused with a Reset', async () => {
  const { script, endpoint, runtime } = lockstep();
  script.send({ type: 'CON', code: CODE.CONTENT, messageId: 1, token: TOKEN });
  await script.expect({ type: 'RST', messageId: 1 });
  script.send({ type: 'NON', code: CODE.CONTENT, messageId: 2, token: TOKEN });
  await script.expect({ type: 'RST', messageId: 2 });
  script.send({ type: 'ACK', code: CODE.CONTENT, messageId: 3, token: TOKEN });
  await script.expectNothing(10_000);
  await assertAtRest(runtime, endpoint);
});

test('a repeated CON is handled once and answered the same; a repeated NON is ignored', async () => {
  let handled = 0;
  const handler = (): CoapReply => ({ code: CODE.CHANGED, payload: String(++handled) });
  const { script, runtime, endpoint } = lockstep({ handler });
  for (let i = 0; i < 3; i++) {
    script.send({ type: 'CON', code: POST, messageId: 10, token: TOKEN, path: 'x' });
    await script.expect({ type: 'ACK', code: CODE.CHANGED, messageId: 10, token: TOKEN, payload: '1' });
  }
  script.send({ type: 'NON', code: POST, messageId: 11, token: TOKEN });
  await script.expect({ type: 'NON', code: CODE.CHANGED, payload: '2' });
  script.send({ type: 'NON', code: POST, messageId: 11, token: TOKEN });
  await script.expectNothing(1000);
  // RFC 7252 §4.8.2: after EXCHANGE_LIFETIME, the same message id is a new message.
  await runtime.advance(400_000);
  script.send({ type: 'CON', code: POST, messageId: 10, token: TOKEN, path: 'x' });
  await script.expect({ type: 'ACK', code: CODE.CHANGED, messageId: 10, payload: '3' });
  await assertAtRest(runtime, endpoint);
});

test('a message id that returns early with another token is a new message', async () => {
  let handled = 0;
  const { script } = lockstep({ handler: () => ({ code: CODE.CONTENT, payload: String(++handled) }) });
  script.send({ type: 'CON', code: GET, messageId: 10, token: Uint8Array.of(1) });
  await script.expect({ type: 'ACK', payload: '1' });
  script.send({ type: 'CON', code: GET, messageId: 10, token: Uint8Array.of(2) });
  await script.expect({ type: 'ACK', payload: '2' });
});

test('a slow handler gets its request acknowledged and answers in a confirmable message', async () => {
  const world = lockstep({
    handler: async () => {
      await new Promise<void>((resolve) => world.runtime.timers.after(10_000, resolve));
      return content();
    },
  });
  const { script, runtime, endpoint } = world;
  script.send({ type: 'CON', code: GET, messageId: 20, token: TOKEN });
  await script.expect({ type: 'ACK', code: 0, messageId: 20 }, 1000);
  script.send({ type: 'CON', code: GET, messageId: 20, token: TOKEN });
  await script.expect({ type: 'ACK', code: 0, messageId: 20 });
  const { messageId } = await script.expect({ type: 'CON', code: CODE.CONTENT, token: TOKEN }, 11_000);
  // It is retransmitted until it is acknowledged.
  await script.expect({ type: 'CON', code: CODE.CONTENT, messageId }, 3100);
  script.send({ type: 'ACK', messageId });
  await script.expectNothing(100_000);
  await assertAtRest(runtime, endpoint);
});

test('an asynchronous handler that is quick still answers in the acknowledgement', async () => {
  const { script, runtime, endpoint } = lockstep({ handler: () => Promise.resolve(content()) });
  script.send({ type: 'CON', code: GET, messageId: 21, token: TOKEN });
  await script.expect({ type: 'ACK', code: CODE.CONTENT, messageId: 21 });
  await assertAtRest(runtime, endpoint);
});

test('answers a ping with a Reset, and takes a Reset as the answer to its own', async () => {
  const { script, runtime, endpoint, peer } = lockstep();
  script.send({ type: 'CON', messageId: 30 });
  await script.expect({ type: 'RST', messageId: 30 });
  const ping = endpoint.ping(peer);
  const { messageId } = await script.expect({ type: 'CON', code: 0 });
  script.send({ type: 'RST', messageId });
  await settled(runtime, ping);
  await assertAtRest(runtime, endpoint);
});

test('refuses a confirmable message that it cannot read and ignores other junk', async () => {
  const { script, endpoint } = lockstep({ handler: content });
  script.sendBytes(fromHex('40011234f1'));
  await script.expect({ type: 'RST', messageId: 0x1234 });
  script.sendBytes(fromHex('41001235aa'));
  await script.expect({ type: 'RST', messageId: 0x1235 });
  for (const junk of [
    '',
    '40',
    '50011234f1',
    '60011234f1',
    '80011234',
    '4f',
    '50001234',
    '70011234',
    '60017d34',
  ]) {
    script.sendBytes(fromHex(junk));
  }
  await script.expectNothing(1000);
  assert.ok((endpoint.counters()['dropped.malformed'] ?? 0) >= 8);
});

test('keeps NSTART confirmable messages under way and queues the rest up to its limit', async () => {
  const { script, runtime, endpoint, peer } = lockstep({ limits: { maxQueuedPerPeer: 2 } });
  const requests = [1, 2, 3].map((i) => endpoint.request(peer, { method: 'GET', path: String(i) }));
  await assert.rejects(endpoint.request(peer, { method: 'GET', path: '4' }), { code: 'COAP_QUEUE_FULL' });
  for (const path of ['1', '2', '3']) {
    const { messageId, token } = await script.expect({ type: 'CON', path });
    await script.expectNothing(100);
    script.send({ type: 'ACK', code: CODE.CONTENT, messageId, token });
  }
  await settled(runtime, Promise.all(requests));
  await assertAtRest(runtime, endpoint);
});

test('an unknown critical option gets 4.02 in an acknowledgement, and a Reset when the request was a NON', async () => {
  const { script } = lockstep({ handler: content, criticalOptions: [2049] });
  const unknown = [{ number: 2051, value: Uint8Array.of(1) }];
  script.send({ type: 'CON', code: GET, messageId: 40, token: TOKEN, options: unknown });
  await script.expect({ type: 'ACK', code: CODE.BAD_OPTION, messageId: 40, token: TOKEN });
  script.send({ type: 'NON', code: GET, messageId: 41, token: TOKEN, options: unknown });
  await script.expect({ type: 'RST', messageId: 41 });
  script.send({
    type: 'CON',
    code: GET,
    messageId: 42,
    options: [{ number: 2049, value: Uint8Array.of(1) }],
  });
  await script.expect({ type: 'ACK', code: CODE.CONTENT, messageId: 42 });
  script.send({
    type: 'CON',
    code: GET,
    messageId: 43,
    options: [{ number: 2052, value: Uint8Array.of(1) }],
  });
  await script.expect({ type: 'ACK', code: CODE.CONTENT, messageId: 43 });
});

test('a known critical option of impossible length or repeated counts as unknown', async () => {
  const { script } = lockstep({ handler: content });
  const accept = (length: number) => ({ number: OPTION.ACCEPT, value: new Uint8Array(length) });
  script.send({ type: 'CON', code: GET, messageId: 44, options: [accept(3)] });
  await script.expect({ type: 'ACK', code: CODE.BAD_OPTION });
  script.send({ type: 'CON', code: GET, messageId: 45, options: [accept(1), accept(1)] });
  await script.expect({ type: 'ACK', code: CODE.BAD_OPTION });
});

test('is no proxy, and knows which methods there are', async () => {
  const { script } = lockstep({ handler: content });
  const proxy = [{ number: OPTION.PROXY_URI, value: Uint8Array.of(0x61) }];
  script.send({ type: 'CON', code: GET, messageId: 50, options: proxy });
  await script.expect({ type: 'ACK', code: CODE.PROXYING_NOT_SUPPORTED });
  const scheme = [{ number: OPTION.PROXY_SCHEME, value: Uint8Array.of(0x61) }];
  script.send({ type: 'CON', code: GET, messageId: 51, options: scheme });
  await script.expect({ type: 'ACK', code: CODE.PROXYING_NOT_SUPPORTED });
  script.send({ type: 'CON', code: 0x1e, messageId: 52 });
  await script.expect({ type: 'ACK', code: CODE.METHOD_NOT_ALLOWED });
});

test('without a handler every request gets 4.04; a handler that throws gives 5.00 and is told of', async () => {
  const plain = lockstep();
  plain.script.send({ type: 'CON', code: GET, messageId: 60 });
  await plain.script.expect({ type: 'ACK', code: CODE.NOT_FOUND });
  const errors: unknown[] = [];
  const failing = lockstep({
    handler: () => {
      throw new RangeError('broken');
    },
    onHandlerError: (error) => errors.push(error),
  });
  failing.script.send({ type: 'CON', code: GET, messageId: 61 });
  await failing.script.expect({ type: 'ACK', code: CODE.INTERNAL_SERVER_ERROR });
  assert.equal(errors.length, 1);
});

test('answers 5.03 while too many handlers are at work, and bounds what is under way in all', async () => {
  const limits = { maxConcurrentRequests: 1, maxTransmissions: 2 };
  const answers: ((reply: CoapReply) => void)[] = [];
  const handler = (): Promise<CoapReply> => new Promise((resolve) => answers.push(resolve));
  const { script, endpoint, peer, runtime } = lockstep({ handler, limits });
  script.send({ type: 'CON', code: GET, messageId: 1 });
  script.send({ type: 'CON', code: GET, messageId: 2 });
  const maxAge = [{ number: OPTION.MAX_AGE, value: Uint8Array.of(5) }];
  await script.expect({ type: 'ACK', code: CODE.SERVICE_UNAVAILABLE, messageId: 2, options: maxAge });
  answers[0]?.(content());
  await script.expect({ type: 'ACK', code: CODE.CONTENT, messageId: 1 });
  const timeouts = [1, 2].map(() =>
    assert.rejects(endpoint.request(peer, { method: 'GET' }), { code: 'COAP_TIMEOUT' }),
  );
  await assert.rejects(endpoint.request(peer, { method: 'GET' }), { code: 'COAP_QUEUE_FULL' });
  await settled(runtime, Promise.all(timeouts));
  await assertAtRest(runtime, endpoint);
});

test('leaves out the responses that No-Response names, and still acknowledges', async () => {
  const { script } = lockstep({ handler: content });
  const noResponse = (bits: number) => [{ number: OPTION.NO_RESPONSE, value: Uint8Array.of(bits) }];
  script.send({ type: 'CON', code: GET, messageId: 70, token: TOKEN, options: noResponse(2) });
  await script.expect({ type: 'ACK', code: 0, messageId: 70 });
  script.send({ type: 'NON', code: GET, messageId: 71, token: TOKEN, options: noResponse(2) });
  await script.expectNothing(1000);
  script.send({ type: 'CON', code: GET, messageId: 72, token: TOKEN, options: noResponse(8) });
  await script.expect({ type: 'ACK', code: CODE.CONTENT, messageId: 72 });
});

test('a request that wants no response resolves at its acknowledgement, or at once', async () => {
  const { script, runtime, endpoint, peer } = lockstep();
  const confirmable = endpoint.request(peer, { method: 'POST', noResponse: 26 });
  const { messageId } = await script.expect({ type: 'CON', code: POST });
  script.send({ type: 'ACK', messageId });
  assert.equal((await settled(runtime, confirmable)).code, CODE.EMPTY);
  const non = await endpoint.request(peer, { method: 'POST', noResponse: 26, confirmable: false });
  assert.equal(non.code, CODE.EMPTY);
  await assertAtRest(runtime, endpoint);
});

test('repeats a request once with the Echo that the server asks for', async () => {
  const { script, runtime, endpoint, peer } = lockstep();
  const request = endpoint.request(peer, { method: 'POST', path: 'door' });
  const first = await script.expect({ type: 'CON', code: POST });
  const echo = [{ number: OPTION.ECHO, value: Uint8Array.of(1, 2, 3) }];
  const { messageId, token } = first;
  script.send({ type: 'ACK', code: CODE.UNAUTHORIZED, messageId, token, options: echo });
  const second = await script.expect({ type: 'CON', code: POST, path: 'door', options: echo });
  script.send({ type: 'ACK', code: CODE.CHANGED, messageId: second.messageId, token: second.token });
  assert.equal((await settled(runtime, request)).code, CODE.CHANGED);
});

test('a response with an unknown critical option rejects the request', async () => {
  const { script, runtime, endpoint, peer } = lockstep();
  const request = assert.rejects(endpoint.request(peer, { method: 'GET' }), { code: 'COAP_BAD_RESPONSE' });
  const { messageId, token } = await script.expect({ type: 'CON' });
  script.send({ type: 'ACK', messageId });
  await runtime.advance(10);
  const unknown = [{ number: 2051, value: Uint8Array.of(1) }];
  script.send({ type: 'CON', code: CODE.CONTENT, messageId: 77, token, options: unknown });
  await script.expect({ type: 'RST', messageId: 77 });
  await request;
  await assertAtRest(runtime, endpoint);
});

test('what is no response ends the request that it answers, at once', async () => {
  const [unknownMethod, reserved] = [0x1f, 0x3f];
  for (const code of [unknownMethod, reserved, 0xc1, 0xe1]) {
    const { script, runtime, endpoint, peer } = lockstep();
    const piggybacked = assert.rejects(endpoint.request(peer, { method: 'GET' }), {
      code: 'COAP_BAD_RESPONSE',
    });
    const first = await script.expect({ type: 'CON' });
    script.send({ type: 'ACK', code, messageId: first.messageId, token: first.token });
    await runtime.advance(10);
    await piggybacked;
    for (const type of ['CON', 'NON'] as const) {
      const separate = assert.rejects(endpoint.request(peer, { method: 'GET' }), {
        code: 'COAP_BAD_RESPONSE',
      });
      const { messageId, token } = await script.expect({ type: 'CON' });
      script.send({ type: 'ACK', messageId });
      script.send({ type, code, messageId: 77, token });
      await runtime.advance(10);
      await separate;
      if (type === 'CON' || code === unknownMethod)
        await script.expect({ type: code === unknownMethod ? (type === 'CON' ? 'ACK' : 'NON') : 'RST' });
    }
    await assertAtRest(runtime, endpoint);
  }
});

test('what is no response and comes with a token of nobody ends nothing', async () => {
  const { script, runtime, endpoint, peer } = lockstep();
  const request = endpoint.request(peer, { method: 'GET' });
  const { messageId, token } = await script.expect({ type: 'CON' });
  script.send({ type: 'ACK', code: 0x3f, messageId: messageId ^ 1, token: Uint8Array.of(1, 2, 3, 4) });
  script.send({ type: 'NON', code: 0x3f, messageId: 9, token: Uint8Array.of(1, 2, 3, 4) });
  script.send({ type: 'NON', code: 0x3f, messageId: 10 });
  await runtime.advance(10);
  script.send({ type: 'ACK', code: CODE.CONTENT, messageId, token });
  assert.equal((await settled(runtime, request)).code, CODE.CONTENT);
  await assertAtRest(runtime, endpoint);
});
