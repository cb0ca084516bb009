import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '@sefleet/bytes';
import type { Peer, StreamConnection, StreamHandlers } from '@sefleet/runtime';
import { SimRuntime } from '@sefleet/runtime/sim';
import fc from 'fast-check';
import type { MessageContent } from '../codec/message.ts';
import { encodeText } from '../codec/option.ts';
import { createCoapStreamEndpoint } from '../coap-stream-endpoint.ts';
import { CODE, OPTION, SIGNAL } from '../constants.ts';
import type { CoapStreamEndpoint } from '../endpoint.ts';
import type { CoapRequest, ServerObservation } from '../request.ts';
import type { CoapReply } from '../response.ts';
import { settled } from '../testing/lockstep.ts';
import { encodeStreamMessage, StreamMessageReader } from './stream-codec.ts';

const EMPTY = new Uint8Array(0);

const content = fc
  .record({
    code: fc.nat(255),
    token: fc.uint8Array({ maxLength: 8 }),
    options: fc
      .array(fc.record({ number: fc.nat(400), value: fc.uint8Array({ maxLength: 40 }) }), { maxLength: 6 })
      .map((all) => all.toSorted((a, b) => a.number - b.number)),
    payload: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 200, maxLength: 400 })),
  })
  .map((c): MessageContent => c);

test('lengths of all four forms: the boundaries of RFC 8323 §3.2', () => {
  const header = (payloadBytes: number): string =>
    toHex(
      encodeStreamMessage({ code: 0x45, token: EMPTY, options: [], payload: new Uint8Array(payloadBytes) }),
    ).slice(0, 14);
  assert.equal(header(0), '0045');
  assert.ok(header(11).startsWith('c045ff'));
  assert.ok(header(12).startsWith('d00045ff'));
  assert.ok(header(267).startsWith('d0ff45ff'));
  assert.ok(header(268).startsWith('e0000045ff'));
  assert.ok(header(65_803).startsWith('e0ffff45ff'));
  assert.ok(header(65_804).startsWith('f00000000045ff'.slice(0, 14)));
});

test('what is written is read, however the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(content, { maxLength: 5 }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
      (all, cuts) => {
        const stream = Buffer.concat(all.map(encodeStreamMessage));
        const reader = new StreamMessageReader(100_000);
        const read: MessageContent[] = [];
        for (let at = 0, i = 0; at < stream.length; i++) {
          const length = cuts[i % cuts.length] ?? 1;
          assert.equal(
            reader.push(stream.subarray(at, at + length), (message) => read.push(message)),
            undefined,
          );
          at += length;
        }
        const plain = (messages: readonly MessageContent[]) =>
          messages.map(({ code, token, options, payload }) => [
            code,
            toHex(token),
            options.map(({ number, value }) => [number, toHex(value)]),
            toHex(payload),
          ]);
        assert.deepEqual(plain(read), plain(all));
      },
    ),
  );
});

test('random bytes give messages or a reason', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (data) => {
      const fault = new StreamMessageReader(1000).push(data, () => {});
      assert.ok(fault === undefined || typeof fault === 'string');
    }),
  );
});

test('refuses tokens above 8 bytes and messages above the limit before they are there', () => {
  assert.equal(
    new StreamMessageReader(1000).push(fromHex('0945'), () => {}),
    'token-length',
  );
  assert.equal(
    new StreamMessageReader(1000).push(fromHex('f0ffffffff45'), () => {}),
    'too-long',
  );
});

/** Two ends of a connection in memory; each turn carries what was written, cut in two. */
function connection(runtime: SimRuntime): [StreamConnection & { bytes: number }, StreamConnection] {
  const handlers: (StreamHandlers | undefined)[] = [];
  let closed = false;
  const end = (own: number): StreamConnection & { bytes: number } => {
    const peer: Peer = { key: `stream-${own}`, address: '192.0.2.1', port: own, identity: { kind: 'none' } };
    const self = {
      peer,
      bytes: 0,
      listen: (given: StreamHandlers) => {
        handlers[own] = given;
      },
      write: (data: Uint8Array) => {
        const copy = data.slice();
        self.bytes += copy.length;
        const half = copy.length >> 1;
        runtime.timers.after(1, () => {
          handlers[1 - own]?.data(copy.subarray(0, half));
          handlers[1 - own]?.data(copy.subarray(half));
        });
        return true;
      },
      writable: () => Promise.resolve(),
      close: () => {
        if (closed) return;
        closed = true;
        runtime.timers.after(2, () => handlers.forEach((one) => one?.closed()));
      },
    };
    return self;
  };
  return [end(0), end(1)];
}

interface Joined {
  readonly runtime: SimRuntime;
  readonly client: CoapStreamEndpoint;
  readonly server: CoapStreamEndpoint;
  readonly peer: Peer;
  readonly clientPeer: Peer;
}

function joined(handler: (request: CoapRequest) => CoapReply | Promise<CoapReply>, limits = {}): Joined {
  const runtime = new SimRuntime(3);
  const [left, right] = connection(runtime);
  const client = createCoapStreamEndpoint({ runtime, limits });
  const server = createCoapStreamEndpoint({ runtime, handler, limits });
  const clientPeer = server.attach(right);
  return { runtime, client, server, peer: client.attach(left), clientPeer };
}

test('requests, large bodies in one message or in blocks, and pings', async () => {
  const reverse = (request: CoapRequest): CoapReply => ({
    code: CODE.CONTENT,
    payload: request.payload.toReversed(),
  });
  for (const maxStreamMessageBytes of [65_536, 2000]) {
    const { runtime, client, server, peer, clientPeer } = joined(reverse, { maxStreamMessageBytes });
    await settled(runtime, client.ping(peer));
    await settled(runtime, server.ping(clientPeer));
    const body = Uint8Array.from({ length: 20_000 }, (_, i) => i & 0xff);
    const response = await settled(
      runtime,
      client.request(peer, { method: 'POST', path: 'r', payload: body }),
    );
    assert.equal(response.code, CODE.CONTENT);
    assert.deepEqual(response.payload, body.toReversed());
    const messages = server.counters()['messages.received'] ?? 0;
    assert.ok(maxStreamMessageBytes === 65_536 ? messages <= 2 : messages > 20, `${messages} messages`);
    await client.close();
    await runtime.advance(1000);
    assert.equal(server.open()['connections'], 0);
  }
});

test('observes, and deregisters', async () => {
  let observation: ServerObservation | undefined;
  const { runtime, client, peer } = joined((request) => {
    observation = request.observe?.accept() ?? observation;
    return { code: CODE.CONTENT, payload: 'first' };
  });
  const seen: string[] = [];
  const observed = await settled(
    runtime,
    client.observe(peer, { method: 'GET' }, (response) => seen.push(response.text())),
  );
  for (let i = 0; i < 30; i++) observation?.notify({ code: CODE.CONTENT, payload: `n${i}` });
  await runtime.advance(10);
  assert.equal(seen.length, 30);
  await settled(runtime, observed.cancel());
  assert.equal(observation?.active, false);
});

test('a released connection takes no new requests, and what is under way rejects when it closes', async () => {
  const { runtime, client, server, peer, clientPeer } = joined(() => new Promise(() => {}));
  const pending = assert.rejects(client.request(peer, { method: 'GET' }), { code: 'COAP_PEER_GONE' });
  await runtime.advance(5);
  server.release(clientPeer);
  await runtime.advance(1.5);
  await assert.rejects(client.request(peer, { method: 'GET' }), { code: 'COAP_PEER_GONE' });
  await runtime.advance(1000);
  await pending;
  assert.equal(client.open()['clientExchanges'], 0);
  assert.equal(runtime.activeTimers, 0);
});

/** A server of ours at one end, raw bytes at the other. */
function raw(handler?: (request: CoapRequest) => CoapReply) {
  const runtime = new SimRuntime(4);
  const [left, right] = connection(runtime);
  const server = createCoapStreamEndpoint({ runtime, handler });
  const got: MessageContent[] = [];
  const reader = new StreamMessageReader(100_000);
  let closed = false;
  left.listen({
    data: (data) => void reader.push(data, (message) => got.push(message)),
    closed: () => {
      closed = true;
    },
  });
  server.attach(right);
  const send = async (
    ...messages: readonly (Partial<MessageContent> & { readonly code: number })[]
  ): Promise<number[]> => {
    got.length = 0;
    for (const message of messages) {
      left.write(encodeStreamMessage({ token: EMPTY, options: [], payload: EMPTY, ...message }));
    }
    await runtime.advance(20);
    return got.map(({ code }) => code);
  };
  return { send, runtime, got, left, isClosed: () => closed };
}

test('says its settings first, and ends a connection that does not start with them', async () => {
  const { send, isClosed } = raw();
  assert.deepEqual(await send({ code: 1 }), [SIGNAL.CSM, SIGNAL.ABORT]);
  assert.ok(isClosed());
});

test('answers Ping with the same token and its custody option, ignores empty messages and unknown signals', async () => {
  const { send, got } = raw();
  const custody = { number: 2, value: EMPTY };
  const token = Uint8Array.of(5);
  const codes = await send(
    { code: SIGNAL.CSM },
    { code: 0 },
    { code: 0xe9 },
    { code: SIGNAL.PING, token, options: [custody] },
  );
  assert.deepEqual(codes, [SIGNAL.CSM, SIGNAL.PONG]);
  assert.deepEqual(got[1]?.token, token);
  assert.equal(got[1]?.options[0]?.number, 2);
});

test('an unknown critical option in a signal aborts and names it', async () => {
  const { send, got, isClosed } = raw();
  assert.deepEqual(await send({ code: SIGNAL.CSM, options: [{ number: 33, value: EMPTY }] }), [
    SIGNAL.CSM,
    SIGNAL.ABORT,
  ]);
  assert.deepEqual(got[1]?.options[0], { number: 2, value: Uint8Array.of(33) });
  assert.ok(isClosed());
});

test('a frame that cannot be read aborts the connection', async () => {
  const { send, left, runtime, isClosed } = raw();
  await send({ code: SIGNAL.CSM });
  left.write(fromHex('2045f1f1'));
  await runtime.advance(20);
  assert.ok(isClosed());
});

test('an unknown critical option in a request gets 4.02; the peer goes on', async () => {
  const { send } = raw(() => ({ code: CODE.CONTENT }));
  const options = [{ number: 2051, value: encodeText('x') }];
  const path = [{ number: OPTION.URI_PATH, value: encodeText('x') }];
  const codes = await send({ code: SIGNAL.CSM }, { code: 1, options }, { code: 1, options: path });
  assert.deepEqual(codes.slice(1), [CODE.BAD_OPTION, CODE.CONTENT]);
});

test('whatever messages a peer sends, nothing is thrown and the connection lives or is closed', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(content, { maxLength: 20 }), async (messages) => {
      const handler = (request: CoapRequest): CoapReply => {
        request.observe?.accept()?.notify({ code: CODE.CONTENT });
        return { code: CODE.CONTENT, payload: request.payload };
      };
      const { send, runtime } = raw(handler);
      await send({ code: SIGNAL.CSM }, ...messages);
      await runtime.advance(1000);
    }),
    { numRuns: 100 },
  );
});
