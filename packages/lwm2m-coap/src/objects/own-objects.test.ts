import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSefleetError } from '@sefleet/errors';
import { loadModelFolder } from '@sefleet/lwm2m';
import { APDU_EXCHANGE_MODEL } from './apdu-exchange.ts';
import { APDU_SCRIPT_BYTES_MAX, decodeApduScript, encodeApduScript } from './apdu-script.ts';
import { SEALED_RECORDS_MODEL } from './sealed-records.ts';

test('the definition files say what the models say', async () => {
  const folder = new URL('../../models', import.meta.url).pathname;
  assert.deepEqual(await loadModelFolder(folder), [APDU_EXCHANGE_MODEL, SEALED_RECORDS_MODEL]);
});

test('writes each APDU behind its length in three bytes', () => {
  const script = encodeApduScript([Uint8Array.of(0x00, 0xa4), Uint8Array.of(0x90, 0x00), new Uint8Array(0)]);
  assert.equal(Buffer.from(script).toString('hex'), '00000200a40000029000000000');
});

test('reads what it writes', () => {
  const apdus = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 });
  fc.assert(
    fc.property(apdus, (given) => {
      assert.deepEqual(decodeApduScript(encodeApduScript(given)), given);
    }),
  );
});

test('refuses a truncated script at every byte but between two APDUs', () => {
  const script = encodeApduScript([Uint8Array.of(1, 2, 3), Uint8Array.of(4)]);
  for (let length = 1; length < script.length; length++) {
    const decode = (): unknown => decodeApduScript(script.subarray(0, length));
    if (length === 6) assert.deepEqual(decode(), [Uint8Array.of(1, 2, 3)]);
    else assert.throws(decode, { code: 'APDU_SCRIPT_INVALID' }, String(length));
  }
});

test('fails on random bytes with its own error only', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        decodeApduScript(bytes);
      } catch (error) {
        assert.ok(isSefleetError(error, 'APDU_SCRIPT_INVALID'));
      }
    }),
  );
});

test('refuses what is too long to carry', () => {
  const tooMany = Array.from({ length: 1025 }, () => new Uint8Array(0));
  const tooLong = Array.from({ length: 5 }, () => new Uint8Array(65_000));
  for (const apdus of [tooMany, tooLong, [new Uint8Array(70_000)]]) {
    assert.throws(() => encodeApduScript(apdus), { code: 'APDU_SCRIPT_INVALID' });
  }
  assert.throws(() => decodeApduScript(new Uint8Array(APDU_SCRIPT_BYTES_MAX + 1)), {
    code: 'APDU_SCRIPT_INVALID',
  });
});
