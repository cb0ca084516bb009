import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  bytesEqual,
  ByteReader,
  ByteReaderError,
  ByteWriter,
  ByteWriterError,
  concatBytes,
  constantTimeEqual,
  fromHex,
  toHex,
} from './index.ts';

test('reads back every width that it writes', () => {
  fc.assert(
    fc.property(
      fc.nat(0xff),
      fc.nat(0xffff),
      fc.nat(0xffffff),
      fc.nat(0xffffffff),
      fc.nat(0xffffffffffff),
      fc.bigInt(0n, 0xffffffffffffffffn),
      fc.uint8Array({ maxLength: 300 }),
      (a, b, c, d, e, f, body) => {
        const writer = new ByteWriter(1).u8(a).u16(b).u24(c).u32(d).u48(e).u64(f);
        writer.lengthPrefixed(2, (inner) => inner.bytes(body));
        const reader = new ByteReader(writer.finish());
        assert.deepEqual(
          [reader.u8(), reader.u16(), reader.u24(), reader.u32(), reader.u48(), reader.u64()],
          [a, b, c, d, e, f],
        );
        const sub = reader.sub(reader.u16());
        assert.ok(bytesEqual(sub.rest(), body));
        sub.end();
        reader.end();
      },
    ),
  );
});

test('refuses to read past its end, at every width', () => {
  const short = new ByteReader(Uint8Array.of(1, 2, 3), 0, 1);
  for (const read of ['u16', 'u24', 'u32', 'u48', 'u64'] as const)
    assert.throws(() => short[read](), ByteReaderError);
  assert.throws(() => short.bytes(2), ByteReaderError);
  assert.throws(() => short.sub(2), ByteReaderError);
  assert.throws(() => short.bytes(-1), ByteReaderError);
  assert.equal(short.u8(), 1);
  assert.throws(() => short.u8(), ByteReaderError);
  assert.throws(() => new ByteReader(new Uint8Array(2), 1, 3), ByteReaderError);
});

test('refuses trailing bytes', () => {
  assert.throws(() => new ByteReader(Uint8Array.of(1)).end(), /1 trailing bytes/);
});

test('peeks without consuming', () => {
  const reader = new ByteReader(Uint8Array.of(7));
  assert.equal(reader.peek(), 7);
  assert.equal(reader.u8(), 7);
  assert.equal(reader.peek(), undefined);
});

test('refuses values that do not fit and growth beyond the limit', () => {
  assert.throws(() => new ByteWriter().u8(256), ByteWriterError);
  assert.throws(() => new ByteWriter().u16(-1), ByteWriterError);
  assert.throws(() => new ByteWriter().u8(1.5), ByteWriterError);
  assert.throws(() => new ByteWriter(1, 2).bytes(new Uint8Array(3)), ByteWriterError);
  assert.throws(
    () => new ByteWriter().lengthPrefixed(1, (body) => body.bytes(new Uint8Array(256))),
    ByteWriterError,
  );
});

test('converts hexadecimal both ways and refuses what is none', () => {
  fc.assert(fc.property(fc.uint8Array(), (data) => bytesEqual(fromHex(toHex(data)), data)));
  assert.deepEqual(fromHex('00 A4\n04'), Uint8Array.of(0, 0xa4, 4));
  assert.throws(() => fromHex('0'), RangeError);
  assert.throws(() => fromHex('zz'), RangeError);
});

test('compares whole arrays', () => {
  assert.ok(constantTimeEqual(Uint8Array.of(1, 2), Uint8Array.of(1, 2)));
  assert.ok(!constantTimeEqual(Uint8Array.of(1, 2), Uint8Array.of(1, 3)));
  assert.ok(!constantTimeEqual(Uint8Array.of(1, 2), Uint8Array.of(1)));
  assert.ok(!bytesEqual(Uint8Array.of(1), Uint8Array.of(2)));
  assert.deepEqual(
    concatBytes(Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3)),
    Uint8Array.of(1, 2, 3),
  );
});
