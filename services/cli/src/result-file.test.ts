import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { writeResult } from './result-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'sefleet-result-'));
after(() => rmSync(folder, { recursive: true }));
const UNWRITABLE = { code: 'CLI_USAGE', message: /cannot be written/ };

test('writes a secret for its owner alone, even over a file that others could read', () => {
  const file = join(folder, 'key');
  writeFileSync(file, 'old');
  chmodSync(file, 0o644);
  writeResult(file, 'secret', { isSecret: true });
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(readFileSync(file, 'utf8'), 'secret');
});

test('says which file cannot be written, and why', () => {
  assert.throws(() => writeResult(join(folder, 'none', 'x'), ''), UNWRITABLE);
  assert.throws(() => writeResult(folder, ''), UNWRITABLE);
  writeResult(join(folder, 'new'), 'a', { isNew: true });
  assert.throws(() => writeResult(join(folder, 'new'), 'b', { isNew: true }), UNWRITABLE);
  writeResult(join(folder, 'deep', 'down'), 'a', { withFolder: true });
});
