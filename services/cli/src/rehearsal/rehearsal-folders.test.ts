import { deepEqual, equal, match, ok, throws } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { FolderLock, LOCK_FILE } from './folder-lock.ts';
import { RehearsalFolders } from './rehearsal-folders.ts';

const LOCK_MODULE = pathToFileURL(join(import.meta.dirname, 'folder-lock.ts')).href;

describe('the folders of a rehearsal', () => {
  let root = '';
  beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'sefleet-folders-'))));
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('belong to one rehearsal at a time, and leave nothing of the claim', () => {
    const [out, data] = [join(root, 'deep', 'report'), join(root, 'data')];
    const first = new RehearsalFolders(out, data);
    throws(() => new RehearsalFolders(out, join(root, 'other')), {
      code: 'CLI_USAGE',
      message: /another rehearsal works in --out .*report now/,
    });
    throws(() => new RehearsalFolders(join(root, 'elsewhere'), data), { message: /--data .*data now/ });
    first.release();
    deepEqual([readdirSync(out), readdirSync(data)], [[], []]);
    new RehearsalFolders(out, data).release();
  });

  it('let a report be written over an earlier one, but not data', () => {
    const [out, data] = [join(root, 'report'), join(root, 'data')];
    for (const folder of [out, data]) {
      mkdirSync(folder);
      writeFileSync(join(folder, 'kept'), '');
    }
    throws(() => new RehearsalFolders(out, data), { message: /is not empty/ });
    ok(!existsSync(join(out, LOCK_FILE)), 'a claim that fails is taken back whole');
    const folders = new RehearsalFolders(out, undefined);
    ok(existsSync(folders.data));
    folders.release();
    ok(!existsSync(folders.data));
    throws(() => new RehearsalFolders(out, out), { message: /same folder/ });
  });

  it('that cannot be made are refused, and quickly', () => {
    const file = join(root, 'file');
    writeFileSync(file, '');
    for (const out of [file, join(file, 'below'), '/proc/nowhere'])
      throws(() => new RehearsalFolders(out, undefined), { code: 'CLI_USAGE', message: /cannot be written/ });
  });

  it('are free again when their owner was killed', async () => {
    const script = `import { FolderLock } from ${JSON.stringify(LOCK_MODULE)};
      console.log(FolderLock.take(${JSON.stringify(root)}) === undefined ? 'refused' : 'taken');
      setInterval(() => undefined, 1000);`;
    const owner = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'pipe' });
    const [line]: unknown[] = await once(owner.stdout, 'data');
    match(String(line), /taken/);
    equal(FolderLock.take(root), undefined);
    const ended = once(owner, 'exit');
    owner.kill('SIGKILL');
    await ended;
    ok(existsSync(join(root, LOCK_FILE)), 'it could not tidy up');
    const lock = FolderLock.take(root);
    ok(lock !== undefined);
    lock.release();
  });
});
