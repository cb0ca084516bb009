import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, toHex } from '@sefleet/bytes';
import { isSefleetError } from '@sefleet/errors';
import { classForChannel, decodeClassByte, secureClass } from './apdu/class-byte.ts';
import { decodeApdu, encodeApdu } from './apdu/command-apdu.ts';
import { decodeResponse, encodeResponse } from './apdu/response-apdu.ts';
import { decodePutKey } from './content/put-key.ts';
import { decodeStatus } from './content/get-status.ts';
import { decodeKeyInformation } from './content/get-data.ts';
import { decodeReceipt, encodeReceipt, verifyReceipt } from './delegation/receipts.ts';
import { SecureMessaging } from './secure-channel/secure-messaging.ts';
import { decodeTlvs, encodeTlv, encodeTlvs } from './tlv/ber-tlv.ts';
import { decodeDgis, encodeDgis } from './tlv/dgi.ts';
import { decodeLvs, encodeLvs } from './tlv/length-value.ts';

const octet = fc.integer({ min: 0, max: 255 });
const command = fc.record(
  {
    cla: octet,
    ins: octet,
    p1: octet,
    p2: octet,
    data: fc.uint8Array({ maxLength: 700 }),
    le: fc.integer({ min: 1, max: 65_536 }),
  },
  { requiredKeys: ['cla', 'ins', 'p1', 'p2', 'data'], noNullPrototype: true },
);

test('each of the seven cases of command APDUs is read', () => {
  const cases: readonly (readonly [string, number, number | undefined])[] = [
    ['00a40400', 0, undefined],
    ['00a4040000', 0, 256],
    ['00a4040002aabb', 2, undefined],
    ['00a4040002aabb10', 2, 16],
    ['00a40400000000', 0, 65_536],
    ['00a40400000002aabb', 2, undefined],
    ['00a40400000002aabb0100', 2, 256],
  ];
  for (const [text, length, le] of cases) {
    const decoded = decodeApdu(fromHex(text));
    assert.equal(decoded.data.length, length, text);
    assert.equal(decoded.le, le, text);
    assert.equal(toHex(encodeApdu(decoded)), text);
  }
});

test('command APDUs survive a round trip', () => {
  fc.assert(
    fc.property(command, (sent) => {
      const { extended: _, ...received } = decodeApdu(encodeApdu(sent));
      assert.deepEqual(received, sent);
    }),
  );
});

test('random bytes give an APDU or the APDU error, and nothing else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      try {
        assert.deepEqual(encodeApdu(decodeApdu(bytes)), bytes);
      } catch (error) {
        assert.ok(isSefleetError(error, 'GP_APDU_MALFORMED'));
      }
    }),
    { numRuns: 1000 },
  );
});

test('a response needs a status word', () => {
  assert.deepEqual(decodeResponse(fromHex('aa9000')), { data: fromHex('aa'), sw: 0x9000 });
  assert.equal(toHex(encodeResponse({ data: fromHex('aa'), sw: 0x6310 })), 'aa6310');
  assert.throws(() => decodeResponse(fromHex('90')), { code: 'GP_APDU_MALFORMED' });
});

test('class bytes carry channels 0 to 19, chaining and secure messaging', () => {
  for (let channel = 0; channel < 20; channel++) {
    const cla = secureClass(classForChannel(0x80, channel));
    assert.deepEqual(decodeClassByte(cla), { channel, chaining: false, secure: true, proprietary: true });
  }
  assert.equal(decodeClassByte(0xff), undefined);
  assert.equal(decodeClassByte(0x20), undefined);
});

test('data objects, groupings and LV fields survive a round trip', () => {
  const tag = fc.constantFrom(0x4f, 0xc0, 0x5f50, 0x9f7f, 0xbf21, 0x7f21, 0x9f8101);
  const tlv = fc.record({ tag, value: fc.uint8Array({ maxLength: 300 }) }, { noNullPrototype: true });
  fc.assert(
    fc.property(fc.array(tlv, { maxLength: 8 }), (list) =>
      assert.deepEqual(decodeTlvs(encodeTlvs(list)), list),
    ),
  );
  const dgi = fc.record(
    { id: fc.integer({ min: 0, max: 0xffff }), data: fc.uint8Array({ maxLength: 300 }) },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.array(dgi, { maxLength: 8 }), (list) =>
      assert.deepEqual(decodeDgis(encodeDgis(list)), list),
    ),
  );
  const fields = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 6 });
  fc.assert(
    fc.property(fields, (list) => assert.deepEqual(decodeLvs(encodeLvs(...list), list.length), list)),
  );
});

test('structures cut anywhere and random bytes give their own error only', () => {
  const status = fromHex('E3194F08D276000005AA3F019F700107C50104CC06A00000000100');
  const readers = [decodeStatus, decodeKeyInformation, decodeReceipt, decodeDgis];
  const putKey = (data: Uint8Array) => decodePutKey({ cla: 0x80, ins: 0xd8, p1: 0, p2: 0x81, data });
  for (const read of [...readers, putKey]) {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 60 }),
          fc.nat(status.length).map((n) => status.subarray(0, n)),
        ),
        (bytes) => {
          try {
            read(bytes);
          } catch (error) {
            assert.ok(isSefleetError(error) && error.code.startsWith('GP_'), String(error));
          }
        },
      ),
      { numRuns: 500 },
    );
  }
});

test('what one side of the secure messaging wraps the other unwraps, at every level and MAC length', () => {
  const key = (fill: number): Uint8Array => new Uint8Array(16).fill(fill);
  const keys = { enc: key(1), mac: key(2), rmac: key(3), dek: key(4) };
  const level = fc.constantFrom(0x01, 0x03, 0x11, 0x13, 0x33);
  const exchangeOf = fc.record({
    command,
    response: fc.uint8Array({ maxLength: 300 }),
    sw: fc.constantFrom(0x9000, 0x6310, 0x6a80),
  });
  fc.assert(
    fc.property(
      level,
      fc.constantFrom(8, 16),
      fc.array(exchangeOf, { maxLength: 6 }),
      (at, macLength, exchanges) => {
        const host = new SecureMessaging(keys, macLength === 8 ? 8 : 16, at);
        const card = new SecureMessaging(keys, macLength === 8 ? 8 : 16, at);
        for (const { command: plain, response, sw } of exchanges) {
          const onChannelZero = { ...plain, cla: 0x80 };
          const received = card.unwrapCommand(decodeApdu(encodeApdu(host.wrapCommand(onChannelZero))));
          assert.deepEqual(received?.data, plain.data);
          const back = host.unwrapResponse(card.wrapResponse({ data: response, sw }));
          assert.deepEqual(back.data, sw === 0x6a80 ? new Uint8Array(0) : response);
        }
      },
    ),
  );
});

test('a flipped bit anywhere in a protected command is noticed', () => {
  const key = (fill: number): Uint8Array => new Uint8Array(16).fill(fill);
  const keys = { enc: key(1), mac: key(2), rmac: key(3), dek: key(4) };
  const wrapped = encodeApdu(
    new SecureMessaging(keys, 8, 0x33).wrapCommand(decodeApdu(fromHex('80e2880003aabbcc'))),
  );
  for (let bit = 8; bit < wrapped.length * 8; bit++) {
    const damaged = wrapped.slice();
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    // The length byte is no part of what can be flipped without breaking the APDU itself.
    if (bit >> 3 === 4) continue;
    assert.equal(new SecureMessaging(keys, 8, 0x33).unwrapCommand(decodeApdu(damaged)), undefined);
  }
});

test('a receipt verifies for its key, context and place in the row only', () => {
  const key = fromHex('00'.repeat(16));
  const context = { kind: 'delete', object: fromHex('a000000151') } as const;
  const confirmation = { counter: 7, cardUniqueData: fromHex('4944') };
  const response = encodeReceipt(key, confirmation, context);
  assert.deepEqual(verifyReceipt(response, key, context, 6).confirmation, confirmation);
  assert.throws(() => verifyReceipt(response, key, context, 7), { code: 'GP_RECEIPT_INVALID' });
  assert.throws(() => verifyReceipt(response, fromHex('01'.repeat(16)), context), {
    code: 'GP_RECEIPT_INVALID',
  });
  const elsewhere = { kind: 'delete', object: fromHex('a000000152') } as const;
  assert.throws(() => verifyReceipt(response, key, elsewhere), { code: 'GP_RECEIPT_INVALID' });
  assert.throws(() => verifyReceipt(Uint8Array.of(0), key, context), { code: 'GP_RECEIPT_INVALID' });
  assert.equal(decodeReceipt(Uint8Array.of(0)), undefined);
  assert.equal(toHex(encodeTlv(0x4f, fromHex('aa'))), '4f01aa');
});
