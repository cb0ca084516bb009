import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PskIdentityReader } from './psk-identity-reader.ts';

/** RFC 5246 §6.2.1, §7.4: a record around a handshake message. */
function message(type: number, body: Uint8Array): Buffer {
  const header = Buffer.from([type, 0, body.length >> 8, body.length & 0xff]);
  return record(22, Buffer.concat([header, body]));
}

function record(type: number, content: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([type, 3, 3, content.length >> 8, content.length & 0xff]), content]);
}

function opaque16(data: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([data.length >> 8, data.length & 0xff]), data]);
}

function clientHello(extensions: Uint8Array): Buffer {
  const random = Buffer.alloc(32, 7);
  const fixed = [Buffer.from([3, 3]), random, Buffer.from([0]), opaque16(Buffer.from([0x13, 1]))];
  return message(1, Buffer.concat([...fixed, Buffer.from([1, 0]), opaque16(extensions)]));
}

function preSharedKey(...identities: readonly string[]): Buffer {
  const offered = identities.map((name) => Buffer.concat([opaque16(Buffer.from(name)), Buffer.alloc(4)]));
  const binders = opaque16(Buffer.concat(identities.map(() => Buffer.alloc(33, 32))));
  const body = Buffer.concat([opaque16(Buffer.concat(offered)), binders]);
  return Buffer.concat([Buffer.from([0, 41]), opaque16(body)]);
}

function read(data: Uint8Array, cut = data.length): readonly string[] {
  const reader = new PskIdentityReader();
  return [...reader.feed(data.subarray(0, cut)), ...reader.feed(data.subarray(cut))];
}

const other = Buffer.concat([Buffer.from([0, 43]), opaque16(Buffer.from([2, 3, 4]))]);

test('tells the identities of a ClientHello of TLS 1.3, wherever it is cut', () => {
  const hello = clientHello(Buffer.concat([other, preSharedKey('meter-1', 'meter-2')]));
  for (let cut = 0; cut <= hello.length; cut++) assert.deepEqual(read(hello, cut), ['meter-1', 'meter-2']);
});

test('tells the identity of a ClientKeyExchange of TLS 1.2, with and without a key share', () => {
  const hello = clientHello(other);
  const identity = opaque16(Buffer.from('meter-1'));
  const share = Buffer.concat([Buffer.from([65, 4]), Buffer.alloc(64, 9)]);
  for (const body of [identity, Buffer.concat([identity, share])]) {
    const sent = Buffer.concat([hello, message(16, body), record(20, Buffer.from([1]))]);
    for (let cut = 0; cut <= sent.length; cut++) assert.deepEqual(read(sent, cut), ['meter-1']);
  }
});

test('tells none of a key exchange by certificate, nor of what comes encrypted', () => {
  const point = Buffer.concat([Buffer.from([65, 4]), Buffer.alloc(64, 9)]);
  assert.deepEqual(read(message(16, point)), []);
  const hidden = Buffer.concat([record(20, Buffer.from([1])), message(16, opaque16(Buffer.from('x')))]);
  assert.deepEqual(read(hidden), []);
  const reader = new PskIdentityReader();
  reader.feed(hidden);
  assert.equal(reader.done, true);
});

test('tells a few identities at most, and gives up on a client that never ends', () => {
  const many = Array.from({ length: 50 }, (_, index) => `meter-${index}`);
  assert.equal(read(clientHello(preSharedKey(...many))).length, 4);
  const reader = new PskIdentityReader();
  for (let i = 0; i < 100; i++) reader.feed(record(22, Buffer.alloc(1000)));
  assert.equal(reader.done, true);
});

test('takes any bytes', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }), (pieces) => {
      const reader = new PskIdentityReader();
      for (const piece of pieces) reader.feed(piece);
    }),
  );
  fc.assert(
    fc.property(fc.constantFrom(1, 16), fc.uint8Array({ maxLength: 400 }), (type, body) => {
      assert.ok(read(message(type, body)).length <= 4);
    }),
  );
});
