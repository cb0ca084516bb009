import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '@sefleet/bytes';
import { commandTimeMs } from './command-time.ts';
import { parseTimingCosts } from './timing-costs.ts';
import { JAVA_CARD_2015 } from './timing-profile.ts';

test('costs are read by their names, and change what a command takes', () => {
  assert.deepEqual(parseTimingCosts(''), {});
  assert.deepEqual(parseTimingCosts('aes=1.5, ec=20'), { aesBlockMs: 1.5, ecMultiplyMs: 20 });
  const faster = { ...JAVA_CARD_2015, ...parseTimingCosts('ec=0,sha=0') };
  const sign = fromHex('012b8001229e20' + '00'.repeat(32));
  const answer = new Uint8Array(68);
  const [slow, fast] = [JAVA_CARD_2015, faster].map((profile) => commandTimeMs(profile, sign, answer));
  assert.ok(slow !== undefined && fast !== undefined && slow - fast > 70);
});

test('what is no list of costs is refused whole', () => {
  for (const text of [
    'aes',
    'aes=',
    'aes=x',
    'aes=-1',
    'aes=1=2',
    'gold=1',
    'aes=1,aes=2',
    'toString=1',
    'aes=1e9',
  ]) {
    assert.equal(parseTimingCosts(text), undefined, text);
  }
});
