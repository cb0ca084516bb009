import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const CHAOS = fileURLToPath(new URL('../../services/cli/src/rehearsal/chaos-main.ts', import.meta.url));

test('three seeded switches, each with a service killed at a random point, keep every invariant', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [CHAOS, '--runs', '3', '--meters', '15']);
  const lines = stdout.trim().split('\n');
  assert.equal(lines.at(-1), '3 of 3 runs: all invariants hold');
  const runs = lines.slice(0, -1).map((line): { killService: string } => JSON.parse(line));
  assert.deepEqual(
    runs.map(({ killService }) => killService),
    ['provisioning', 'provisioning', 'provisioning'],
  );
});
