import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deriveTimes, resolveParameters, TRANSMISSION_PARAMETERS } from './settings.ts';

test('the defaults give the derived times of RFC 7252 §4.8.2', () => {
  assert.deepEqual(deriveTimes(resolveParameters()), {
    maxTransmitSpanMs: 45_000,
    maxTransmitWaitMs: 93_000,
    exchangeLifetimeMs: 247_000,
    nonLifetimeMs: 145_000,
  });
});

for (const [name, { min, max, unit, spec, doc }] of Object.entries(TRANSMISSION_PARAMETERS)) {
  test(`${name} is documented and refused outside of its range`, () => {
    assert.ok(unit.length > 0 && spec.startsWith('RFC') && doc.endsWith('.'));
    for (const value of [min - 1, max + 1, Number.NaN]) {
      assert.throws(() => resolveParameters({ [name]: value }), { code: 'COAP_SETTING_INVALID' });
    }
  });
}

test('a block size is a power of two', () => {
  assert.equal(resolveParameters({ blockSizeBytes: 256 }).blockSizeBytes, 256);
  assert.throws(() => resolveParameters({ blockSizeBytes: 100 }), { code: 'COAP_SETTING_INVALID' });
});
