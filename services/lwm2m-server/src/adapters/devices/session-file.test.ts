import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { SessionFile } from './session-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'sefleet-sessions-'));
after(() => rmSync(folder, { recursive: true }));
const sessions = Buffer.from('keys of many sessions');

test('gives the sessions back once, sealed meanwhile', () => {
  const path = join(folder, 'one');
  const file = new SessionFile(path, Buffer.from('private key'));
  assert.equal(file.take(), undefined);
  file.save(sessions);
  assert.equal(readFileSync(path).includes('keys of'), false);
  assert.equal(statSync(path).mode & 0o077, 0);
  assert.deepEqual(file.take(), sessions);
  assert.equal(file.take(), undefined);
});

test('takes nothing from a damaged file or one of another key', () => {
  const path = join(folder, 'two');
  const file = new SessionFile(path, Buffer.from('private key'));
  file.save(sessions);
  assert.equal(new SessionFile(path, Buffer.from('another key')).take(), undefined);
  file.save(sessions);
  const data = readFileSync(path);
  data[30] = (data[30] ?? 0) ^ 1;
  writeFileSync(path, data);
  assert.equal(file.take(), undefined);
  writeFileSync(path, 'short');
  assert.equal(file.take(), undefined);
});
