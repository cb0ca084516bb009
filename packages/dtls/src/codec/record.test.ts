import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fromHex } from '@sefleet/bytes';
import fc from 'fast-check';
import { decodeRecord, encodeRecordHeader } from './record.ts';

describe('decodeRecord', () => {
  test('reads the fields of RFC 6347 §4.1', () => {
    const record = decodeRecord(fromHex('17 fefd 0001 000000000102 0003 aabbcc ff'), 0, 0);
    assert.deepEqual(record && { ...record, payload: Buffer.from(record.payload) }, {
      type: 23,
      epoch: 1,
      sequence: 0x102,
      cid: undefined,
      payload: Buffer.from([0xaa, 0xbb, 0xcc]),
      end: 16,
    });
  });

  test('reads the connection ID of RFC 9146 §4 by the length that the endpoint gave out', () => {
    const data = fromHex('19 fefd 0001 000000000000 c1c2 0001 aa');
    const record = decodeRecord(data, 0, 2);
    assert.deepEqual(Buffer.from(record?.cid ?? []), Buffer.from([0xc1, 0xc2]));
    assert.equal(decodeRecord(data, 0, 0), undefined);
  });

  test('round-trips a header', () => {
    const fields = fc.record({
      type: fc.constantFrom(20, 21, 22, 23),
      epoch: fc.nat(0xffff),
      sequence: fc.maxSafeNat().map((n) => n % 2 ** 48),
      length: fc.nat(40),
    });
    fc.assert(
      fc.property(fields, (header) => {
        const data = new Uint8Array(13 + header.length);
        assert.equal(encodeRecordHeader(data, 0, header), 13);
        const record = decodeRecord(data, 0, 0);
        assert.equal(record?.type, header.type);
        assert.equal(record.epoch, header.epoch);
        assert.equal(record.sequence, header.sequence);
        assert.equal(record.payload.length, header.length);
      }),
    );
  });

  test('refuses a record cut anywhere', () => {
    const whole = fromHex('17 fefd 0001 000000000102 0003 aabbcc');
    for (let length = 0; length < whole.length; length++) {
      assert.equal(decodeRecord(whole.subarray(0, length), 0, 0), undefined);
    }
  });

  test('refuses other versions and types', () => {
    assert.equal(decodeRecord(fromHex('17 0303 0001 000000000000 0000'), 0, 0), undefined);
    assert.equal(decodeRecord(fromHex('17 feff 0001 000000000000 0000'), 0, 0), undefined);
    assert.equal(decodeRecord(fromHex('13 fefd 0000 000000000000 0000'), 0, 0), undefined);
    assert.equal(decodeRecord(fromHex('18 fefd 0000 000000000000 0000'), 0, 0), undefined);
    assert.equal(decodeRecord(fromHex('17 fe00 0001 000000000000 0000'), 0, 0), undefined);
    assert.ok(decodeRecord(fromHex('16 feff 0000 000000000000 0000'), 0, 0));
    // What Mbed TLS 2.28 writes in front of its ClientHello when no lowest version was set.
    assert.ok(decodeRecord(fromHex('16 fe00 0000 000000000000 0000'), 0, 0));
  });

  test('never throws for random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(8), (data, cidLength) => {
        decodeRecord(data, 0, cidLength);
      }),
    );
  });
});
