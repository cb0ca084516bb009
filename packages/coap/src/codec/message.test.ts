import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '@sefleet/bytes';
import { isSefleetError } from '@sefleet/errors';
import fc from 'fast-check';
import { generate } from 'coap-packet';
import { type CoapMessage, decodeMessage, encodeMessage, readMessage } from './message.ts';
import { decodeText, type CoapOption } from './option.ts';

const option = fc
  .record({
    number: fc.oneof(fc.nat(30), fc.nat(400), fc.nat(65_535)),
    value: fc.uint8Array({ maxLength: 300 }),
  })
  .map((o): CoapOption => o);

const message = fc
  .record({
    type: fc.constantFrom(0, 1, 2, 3),
    code: fc.constantFrom(0x01, 0x02, 0x1f, 0x41, 0x45, 0x84, 0xa0, 0xbf),
    messageId: fc.nat(65_535),
    token: fc.uint8Array({ maxLength: 8 }),
    options: fc.array(option, { maxLength: 12 }).map((all) => all.toSorted((a, b) => a.number - b.number)),
    payload: fc.uint8Array({ maxLength: 100 }),
  })
  .map((m) => m as CoapMessage); // constantFrom(0, 1, 2, 3) is a MessageType

/** The examples of RFC 7252 appendix A, as far as it gives their bytes' layout. */
const VECTORS: readonly [string, string, Partial<CoapMessage>][] = [
  [
    'figure 16: GET /temperature',
    '40017d34bb74656d7065726174757265',
    { type: 0, code: 1, messageId: 0x7d34 },
  ],
  ['figure 16: its answer', '60457d34ff32322e332043', { type: 2, code: 0x45, messageId: 0x7d34 }],
  [
    'figure 17: GET with a token',
    '41017d3520bb74656d7065726174757265',
    { type: 0, code: 1, messageId: 0x7d35, token: Uint8Array.of(0x20) },
  ],
  ['figure 17: its answer', '61457d3520ff32322e332043', { type: 2, code: 0x45, messageId: 0x7d35 }],
  ['an empty acknowledgement', '60007d38', { type: 2, code: 0, messageId: 0x7d38 }],
  ['a reset', '70007d3b', { type: 3, code: 0, messageId: 0x7d3b }],
];

for (const [name, hex, expected] of VECTORS) {
  test(`reads and writes the example of RFC 7252: ${name}`, () => {
    const decoded = decodeMessage(fromHex(hex));
    for (const [field, value] of Object.entries(expected)) {
      assert.deepEqual(decoded[field as keyof CoapMessage], value, field); // the keys of Partial<CoapMessage>
    }
    assert.equal(toHex(encodeMessage(decoded)), hex);
  });
}

test('reads the option and the payload of the example', () => {
  const request = decodeMessage(fromHex('40017d34bb74656d7065726174757265'));
  assert.deepEqual(
    request.options.map(({ number, value }) => [number, decodeText(value)]),
    [[11, 'temperature']],
  );
  assert.equal(decodeText(decodeMessage(fromHex('60457d34ff32322e332043')).payload), '22.3 C');
});

test('what it encodes it decodes to the same', () => {
  fc.assert(
    fc.property(message, (original) => {
      const decoded = decodeMessage(encodeMessage(original));
      assert.deepEqual(plain(decoded), plain(original));
    }),
  );
});

test('writes the same bytes as coap-packet', () => {
  fc.assert(
    fc.property(message, (original) => {
      const theirs = generate(
        {
          confirmable: original.type === 0,
          ack: original.type === 2,
          reset: original.type === 3,
          code: `${original.code >> 5}.${String(original.code & 31).padStart(2, '0')}`,
          messageId: original.messageId,
          token: Buffer.from(original.token),
          options: original.options.map(({ number, value }) => ({ name: number, value: Buffer.from(value) })),
          payload: Buffer.from(original.payload),
        },
        100_000,
      );
      assert.equal(toHex(encodeMessage(original)), toHex(theirs));
    }),
  );
});

test('a message cut anywhere is either refused or a shorter message, and never more than was there', () => {
  fc.assert(
    fc.property(message, (original) => {
      const encoded = encodeMessage(original);
      for (let length = 0; length < encoded.length; length++) {
        const decoded = readMessage(encoded.slice(0, length));
        if (typeof decoded === 'string') continue;
        assert.equal(toHex(encodeMessage(decoded)), toHex(encoded.slice(0, length)));
      }
    }),
    { numRuns: 50 },
  );
});

test('random bytes give a message or a reason, and decoding throws only its own error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (data) => {
      try {
        decodeMessage(data);
      } catch (error) {
        assert.ok(isSefleetError(error, 'COAP_MESSAGE_FORMAT'));
      }
    }),
    { numRuns: 2000 },
  );
});

const REFUSED: readonly [string, string, string][] = [
  ['nothing', '', 'truncated'],
  ['half a header', '4001', 'truncated'],
  ['version 0', '00011234', 'unknown-version'],
  ['version 2', '80011234', 'unknown-version'],
  ['a token of 9 bytes', '49011234010203040506070809', 'token-length'],
  ['a token of 15 bytes', '4f011234', 'token-length'],
  ['a token cut short', '4401123401', 'truncated'],
  ['an empty message with a token', '4100123401', 'empty-message'],
  ['an empty message with a payload', '40001234ff00', 'empty-message'],
  ['a code of class 1', '40211234', 'reserved-code'],
  ['a code of class 6', '40c11234', 'reserved-code'],
  ['a signal of a reliable transport', '40e11234', 'reserved-code'],
  ['a marker without payload', '40011234ff', 'empty-payload'],
  ['an option delta of 15', '40011234f1', 'option-header'],
  ['an option length of 15', '400112341f', 'option-header'],
  ['an option cut short', '4001123413aabb', 'truncated'],
  ['an extended delta cut short', '40011234d0', 'truncated'],
  ['a wide extended delta cut short', '40011234e000', 'truncated'],
  ['an extended length cut short', '400112340d', 'truncated'],
  ['a wide extended length cut short', '400112340eff', 'truncated'],
  ['an option number above 65535', '40011234e0fffe', 'option-number'],
  ['more options than a message may have', `40011234${'00'.repeat(257)}`, 'option-number'],
];

for (const [name, hex, reason] of REFUSED) {
  test(`refuses ${name}`, () => {
    assert.equal(readMessage(fromHex(hex)), reason);
  });
}

test('refuses to encode options out of order and tokens above 8 bytes', () => {
  const empty = new Uint8Array(0);
  const base: CoapMessage = { type: 0, code: 1, messageId: 1, token: empty, options: [], payload: empty };
  const options = [
    { number: 12, value: empty },
    { number: 11, value: empty },
  ];
  assert.throws(() => encodeMessage({ ...base, options }), { code: 'COAP_ARGUMENT_INVALID' });
  assert.throws(() => encodeMessage({ ...base, token: new Uint8Array(9) }), {
    code: 'COAP_ARGUMENT_INVALID',
  });
});

function plain(message_: CoapMessage): unknown {
  const { type, code, messageId, token, options, payload } = message_;
  return {
    type,
    code,
    messageId,
    token: toHex(token),
    payload: toHex(payload),
    options: options.map(({ number, value }) => [number, toHex(value)]),
  };
}
