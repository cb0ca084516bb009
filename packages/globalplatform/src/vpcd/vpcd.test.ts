import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '@sefleet/bytes';
import { encodeVpcdMessage, VpcdReader } from './vpcd-codec.ts';

test('controls and APDUs are read however the stream is cut', () => {
  const stream = fromHex('000101 000104 0005 00a4040000 000102 000100');
  const whole = new VpcdReader().push(stream).map((request) => request.kind);
  assert.deepEqual(whole, ['power-on', 'answer-to-reset', 'apdu', 'reset', 'power-off']);
  const reader = new VpcdReader();
  const pieces = [...stream]
    .flatMap((byte) => reader.push(Uint8Array.of(byte)))
    .map((request) => request.kind);
  assert.deepEqual(pieces, whole);
});

test('messages stand behind their length, and an unknown control ends the connection', () => {
  assert.equal(toHex(encodeVpcdMessage(fromHex('9000'))), '00029000');
  assert.throws(() => new VpcdReader().push(fromHex('000109')), { code: 'GP_VPCD_MALFORMED' });
});
