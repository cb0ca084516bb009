import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

const MAIN = resolve(import.meta.dirname, '../../services/cli/src/main.ts');

test('a demo that is interrupted while its services start leaves nothing behind', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sefleet-interrupted-'));
  const demo = spawn(process.execPath, [MAIN, 'demo', '--meters', '1', '--obus', '0', '--gateways', '0'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  demo.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const data = join(folder, '.sefleet');
  const isStarting = (): boolean =>
    existsSync(data) && readdirSync(data).some((name) => existsSync(join(data, name, 'logs')));
  while (!isStarting() && demo.exitCode === null) await sleep(10);
  demo.kill('SIGINT');
  const [code] = await once(demo, 'exit');
  assert.equal(code, 130, said);
  assert.match(said, /interrupted/);
  assert.deepEqual(readdirSync(data), []);
  rmSync(folder, { recursive: true });
});
