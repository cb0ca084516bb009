import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

const MAIN = resolve(import.meta.dirname, '../../services/cli/src/main.ts');

interface Demo {
  readonly child: ChildProcess;
  /** Where it keeps what it removes at its end. */
  readonly data: string;
  said: string;
}

function startDemo(t: TestContext, environment: Readonly<Record<string, string>> = {}): Demo {
  const folder = mkdtempSync(join(tmpdir(), 'sefleet-interrupted-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const child = spawn(process.execPath, [MAIN, 'demo', '--meters', '1', '--obus', '0', '--gateways', '0'], {
    cwd: folder,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const demo: Demo = { child, data: join(folder, '.sefleet'), said: '' };
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (demo.said += text));
  return demo;
}

const MOMENTS: Readonly<Record<string, (folder: string) => boolean>> = {
  'as soon as it has a folder': existsSync,
  'while its services start': (folder) => existsSync(join(folder, 'logs')),
};

for (const [moment, hasCome] of Object.entries(MOMENTS)) {
  test(`a demo that is interrupted ${moment} leaves nothing behind`, async (t) => {
    const demo = startDemo(t);
    const { child, data } = demo;
    const isTime = (): boolean =>
      existsSync(data) && readdirSync(data).some((name) => hasCome(join(data, name)));
    while (!isTime() && child.exitCode === null) await sleep(1);
    child.kill('SIGINT');
    const [code] = await once(child, 'exit');
    assert.equal(code, 130, demo.said);
    assert.deepEqual(readdirSync(data), []);
  });
}

test('a demo whose broker is not there leaves nothing behind', async (t) => {
  const demo = startDemo(t, { SEFLEET_MQTT_URL: 'mqtt://127.0.0.1:1' });
  const [code] = await once(demo.child, 'exit');
  assert.equal(code, 3, demo.said);
  assert.deepEqual(readdirSync(demo.data), []);
});
