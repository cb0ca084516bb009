import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

test('the cipher on OpenSSL gives and refuses what node:crypto does', (t) => {
  const check = fileURLToPath(new URL('./check-record-cipher.ts', import.meta.url));
  const run = spawnSync(process.execPath, ['--experimental-ffi', check], { encoding: 'utf8' });
  if (/bad option/.test(run.stderr)) {
    t.skip('this Node has no node:ffi');
    return;
  }
  assert.equal(run.status, 0, run.stderr);
});
