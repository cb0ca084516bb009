import { deepEqual, equal, ok } from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { scanForCanaries } from './canary-scan.ts';
import { RehearsalClock } from './rehearsal-clock.ts';
import { parseFaults, parseNotice } from './rehearsal-plan.ts';

const HOUR_MS = 3_600_000;

describe('what a rehearsal is told', () => {
  it('reads shares of faults and refuses what it does not know', () => {
    deepEqual(
      [...(parseFaults('offline=2%,lost-ack=1.5') ?? [])],
      [
        ['offline', 2],
        ['lost-ack', 1.5],
      ],
    );
    deepEqual([...(parseFaults('') ?? [])], []);
    for (const text of ['offline', 'offline=101%', 'meteor=1%', 'offline=-1%', 'offline=2%;drift=1%'])
      equal(parseFaults(text), undefined);
  });

  it('reads times', () => {
    deepEqual(['+2m', '90s', '1h', '0.5m'].map(parseNotice), [120_000, 90_000, HOUR_MS, 30_000]);
    deepEqual(['', '2', 'm', '-2m', '2 m', '2d'].map(parseNotice), Array.from({ length: 6 }));
  });
});

describe('the clock of a rehearsal', () => {
  it('never runs backwards, and passes the instant only when there was nothing left to prepare', () => {
    const move = fc.record({ work: fc.boolean(), real: fc.nat(10_000), due: fc.nat(6 * HOUR_MS) });
    fc.assert(
      fc.property(fc.array(move), (moves) => {
        const cut = 2 * HOUR_MS;
        const clock = new RehearsalClock(0, cut, 60, 0);
        let real = 0;
        for (const { work, real: passed, due } of moves) {
          real += passed;
          const before = clock.now;
          if (work) {
            clock.work(real);
            ok(before >= cut || clock.now < cut, 'work carried the clock past the instant');
          } else clock.skip(real, due);
          ok(clock.now >= before);
        }
      }),
    );
  });
});

describe('the canary scan', () => {
  it('finds a secret in any file and form, and none where none is', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'canaries-'));
    t.after(() => rmSync(folder, { recursive: true }));
    mkdirSync(join(folder, 'deep'));
    const value = Buffer.from('00112233445566778899aabbccddeeff', 'hex');
    writeFileSync(join(folder, 'clean.log'), 'nothing here');
    const canary = { owner: 'northern-power', name: 'record key', value };
    deepEqual(scanForCanaries([folder], [canary]), []);
    for (const form of [
      Buffer.concat([Buffer.from('xx'), value]),
      value.toString('hex'),
      value.toString('base64'),
    ]) {
      writeFileSync(join(folder, 'deep', 'leak'), form);
      deepEqual(scanForCanaries([folder], [canary]), [
        `${join(folder, 'deep', 'leak')}: record key of northern-power`,
      ]);
    }
  });
});
