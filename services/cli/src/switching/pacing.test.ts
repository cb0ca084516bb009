import { deepEqual, equal } from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseDuration } from './duration.ts';
import { beginningMs, parseWaves } from './pacing.ts';

describe('pacing', () => {
  it('reads waves as shares, with or without the rest', () => {
    deepEqual(parseWaves('1%,10%,rest'), [1, 10]);
    deepEqual(parseWaves('1, 10'), [1, 10]);
    deepEqual(parseWaves('0.5%'), [0.5]);
    deepEqual(parseWaves('rest'), []);
    deepEqual(parseWaves('50,50,rest'), [50, 50]);
    for (const wrong of ['', '0', '1,,2', 'rest,1', '60,50', '-1', 'ten', '1e1', '5 %', '1,'.repeat(30)])
      equal(parseWaves(wrong), undefined, wrong);
  });

  it('knows how long beginnings take', () => {
    const pacing = { concurrency: 1, ratePerMinute: 60, waves: [1], wavePauseMs: 5000, stopAbovePercent: 0 };
    equal(beginningMs(pacing, 61), 65_000);
    equal(beginningMs({ ...pacing, ratePerMinute: 0 }, 1_000_000), 5000);
  });

  it('reads durations, and nothing else', () => {
    deepEqual(['+2m', '90s', '1.5h', '14d'].map(parseDuration), [120_000, 90_000, 5_400_000, 1_209_600_000]);
    for (const wrong of ['', '2', 'm', '-1m', '2 m', '1e3s', '2w'])
      equal(parseDuration(wrong), undefined, wrong);
  });
});
