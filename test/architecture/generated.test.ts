import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

test('the code generated from proto/ is not stale', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sefleet-buf-'));
  try {
    execFileSync('buf', ['generate', '-o', folder], { stdio: 'pipe' });
    const files = (root: string): string[] =>
      globSync('**/*', { cwd: root })
        .filter((path) => /\.(js|ts)$/.test(path))
        .toSorted();
    const fresh = join(folder, 'packages/api/src/gen');
    assert.deepEqual(files('packages/api/src/gen'), files(fresh));
    for (const file of files(fresh)) {
      assert.equal(
        readFileSync(join('packages/api/src/gen', file), 'utf8'),
        readFileSync(join(fresh, file), 'utf8'),
        file,
      );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('proto/ obeys the lint rules', () => {
  execFileSync('buf', ['lint'], { stdio: 'pipe' });
});
