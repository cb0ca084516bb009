import { deepEqual, equal, ok } from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { scanFiles, scanMemory } from './canary-scan.ts';
import { RehearsalClock } from './rehearsal-clock.ts';
import { parseFaults, parsePauseAt } from './rehearsal-plan.ts';
import { scanRehearsal } from './rehearsal-scan.ts';

const HOUR_MS = 3_600_000;
const NO_PROC = existsSync('/proc/self/mem') ? false : 'this system shows no memory of processes';

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

  it('reads when to pause', () => {
    deepEqual(parsePauseAt('50%'), { of: 'prepared', atPercent: 50 });
    deepEqual(parsePauseAt('confirmed=12.5'), { of: 'confirmed', atPercent: 12.5 });
    for (const wrong of ['', '0', '101%', 'half', 'begun=5%', '-1']) equal(parsePauseAt(wrong), undefined);
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
  const value = Buffer.from('00fb2233445566778899aabbccddeeff', 'hex');
  const canary = { owner: 'northern-power', name: 'record key', value, onCard: true };
  const forms = [
    Buffer.concat([Buffer.from('xx'), value]),
    value.toString('hex'),
    value.toString('hex').toUpperCase(),
    ...[0, 1, 2].map((before) =>
      Buffer.concat([Buffer.alloc(before, 7), value, Buffer.alloc(3)]).toString('base64'),
    ),
    Buffer.concat([Buffer.alloc(1, 7), value]).toString('base64url'),
  ];

  it('finds a secret in any file and form, and none where none is', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'canaries-'));
    t.after(() => rmSync(folder, { recursive: true }));
    mkdirSync(join(folder, 'deep'));
    writeFileSync(join(folder, 'clean.log'), 'nothing here');
    deepEqual(scanFiles(folder, [canary]).hits, []);
    for (const form of forms) {
      writeFileSync(join(folder, 'deep', 'leak'), form);
      deepEqual(scanFiles(folder, [canary]).hits, [
        `${join(folder, 'deep', 'leak')}: record key of northern-power`,
      ]);
    }
  });

  it('finds a secret across the pieces in which a file is read', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'canaries-'));
    t.after(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'large'), Buffer.concat([Buffer.alloc(16 * 1024 * 1024 - 5), value]));
    equal(scanFiles(folder, [canary]).hits.length, 1);
  });

  for (const [what, form] of [
    ['bytes', 'Buffer.from(hex, "hex")'],
    ['text', 'hex.toUpperCase() + "!"'],
  ] as const) {
    it(`finds a leak in the memory of a process: ${what}`, { skip: NO_PROC }, async (t) => {
      // The secret comes over the pipe: on the command line it would be in everybody's sight.
      const program = `process.on("message", (hex) => { globalThis.leak = ${form}; process.send("ready"); })`;
      const child = fork('-e', [program], { execArgv: [], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
      t.after(() => child.kill('SIGKILL'));
      const other = Buffer.from(value).reverse();
      child.send(value.toString('hex'));
      await once(child, 'message');
      const scanned = scanMemory({ name: 'leaky', pid: child.pid ?? 0 }, [canary]);
      deepEqual(scanned.hits, ['memory of leaky: record key of northern-power']);
      ok(scanned.bytes > 1_000_000);
      deepEqual(scanMemory({ name: 'leaky', pid: child.pid ?? 0 }, [{ ...canary, value: other }]).hits, []);
    });
  }

  it('finds on a card what was sealed for somebody who has left, and lets others have it', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'canaries-'));
    t.after(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'inbox'), value);
    const record = { ...canary, name: 'sealed reading of m-1' };
    const places = scanRehearsal({
      folder,
      cardFolders: new Set(),
      processes: [],
      canaries: [],
      cards: new Map([
        ['m-1', Buffer.concat([Buffer.alloc(9), value])],
        ['m-2', Buffer.alloc(64)],
      ]),
      left: new Map([['m-1', new Set(['northern-power'])]]),
      gone: new Map([['m-1', [record]]]),
    });
    deepEqual(
      places.map(({ kind, secrets, hits }) => [kind, secrets, hits.length]),
      [
        ['files', 0, 0],
        ['card', 1, 1],
        ['card', 0, 0],
      ],
    );
  });

  it('lets the custodian hold keys, those who run cards what is on cards, and nobody else', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'canaries-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const master = { ...canary, name: 'record master key', onCard: false };
    const reading = { ...canary, name: 'reading', value: Buffer.alloc(16, 9), isReading: true };
    const names = ['provisioning', 'device-sim', 'lwm2m-server'];
    const places = scanRehearsal({
      folder,
      cardFolders: new Set(),
      processes: names.map((name) => ({ name, pid: 0 })),
      canaries: [canary, master, reading],
      cards: new Map([
        ['m-1', Buffer.concat([Buffer.alloc(9), value])],
        ['m-2', Buffer.concat([Buffer.alloc(9), value])],
      ]),
      left: new Map([['m-1', new Set(['northern-power'])]]),
    });
    deepEqual(
      places.map(({ kind, secrets, hits }) => [kind, secrets, hits.length]),
      [
        ['files', 3, 0],
        ['memory', 1, 0],
        ['memory', 1, 0],
        ['memory', 3, 0],
        ['card', 2, 1],
        ['card', 0, 0],
      ],
    );
  });
});
