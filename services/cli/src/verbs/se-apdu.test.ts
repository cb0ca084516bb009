import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fromHex } from '@sefleet/bytes';
import { parseApdu, recordVisit } from './se-apdu.ts';

test('a line that is no command APDU is named', () => {
  assert.deepEqual(parseApdu('00 A4 04 00 00', 1), fromHex('00a4040000'));
  for (const text of ['00A404', '00A404000', 'select', '00A4040005A000'])
    assert.throws(() => parseApdu(text, 7), { code: 'CLI_USAGE', message: /^line 7: .*no command APDU/u });
});

test('a recorded visit holds each exchange and reset in order, and no other file is written over', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sefleet-trace-'));
  try {
    const file = join(folder, 'visit.jsonl');
    const card = {
      answerToReset: fromHex('3b00'),
      transmit: async () => fromHex('9000'),
      reset: async () => {},
      leave: () => {},
    };
    const visit = recordVisit(card, 'meter-1', file);
    await visit.transmit(fromHex('00a4040000'));
    await visit.reset();
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    assert.deepEqual(
      lines.map((line): unknown => JSON.parse(line)),
      [
        { endpoint: 'meter-1', answerToReset: '3b00' },
        { command: '00a4040000', response: '9000' },
        { reset: true },
      ],
    );
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.throws(() => recordVisit(card, 'meter-1', file), { code: 'CLI_USAGE', message: /EEXIST/ });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
