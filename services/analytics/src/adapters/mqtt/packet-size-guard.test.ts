import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { generate } from 'mqtt-packet';
import { PacketSizeGuard } from './packet-size-guard.ts';

const packet = (bytes: number): Buffer =>
  generate({ cmd: 'publish', topic: 't', payload: Buffer.alloc(bytes), qos: 0, dup: false, retain: false });

test('accepts packets up to the limit, however the bytes are cut', () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 900 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(sizes, fc.array(fc.integer({ min: 1, max: 700 }), { maxLength: 20 }), (payloads, cuts) => {
      const data = Buffer.concat(payloads.map(packet));
      const guard = new PacketSizeGuard(1000);
      let at = 0;
      for (const cut of [...cuts, data.length]) {
        assert.equal(guard.accept(data.subarray(at, at + cut)), true);
        at += cut;
      }
    }),
  );
});

test('refuses a packet beyond the limit at its length, before its body', () => {
  const guard = new PacketSizeGuard(1000);
  assert.equal(guard.accept(packet(10)), true);
  assert.equal(guard.accept(packet(1001).subarray(0, 3)), false);
});

test('refuses a length of five bytes', () => {
  assert.equal(
    new PacketSizeGuard(1_000_000_000).accept(Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0xff, 0x01)),
    false,
  );
});
