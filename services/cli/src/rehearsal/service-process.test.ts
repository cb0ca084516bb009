import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isSefleetError } from '@sefleet/errors';
import { ServiceProcess } from './service-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'sefleet-process-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function launchOf(name: string, program: string) {
  const entry = join(folder, `${name}.mjs`);
  writeFileSync(entry, program);
  return { name, entry, environment: {}, logFile: join(folder, `${name}.log`) };
}

test('what a service said last is in the error when it does not start', async () => {
  const launch = launchOf('unlucky', "console.log('port 4711 is taken');\nprocess.exitCode = 3;\n");
  await rejects(ServiceProcess.start(launch), (error: unknown) => {
    ok(isSefleetError(error, 'REHEARSAL_START_FAILED'));
    equal(error.context['exitCode'], 3);
    match(error.hint ?? '', /unlucky\.log; it ends with:\n {2}port 4711 is taken/);
    return true;
  });
  equal(readFileSync(launch.logFile, 'utf8'), 'port 4711 is taken\n');
});

test('a service that refuses what it was told says what and why, as the command would', async () => {
  const failed = { level: 'error', event: 'service.failed', reason: 'nobody is called x', hint: 'Known: y.' };
  const line = JSON.stringify(JSON.stringify(failed));
  const told = `console.log('{"event":"service.ready"');console.log(${line});`;
  await rejects(ServiceProcess.start(launchOf('strict', `${told}process.exitCode = 2;`)), {
    code: 'CLI_USAGE',
    message: 'nobody is called x',
    hint: 'Known: y.',
  });
  await rejects(ServiceProcess.start(launchOf('silent', 'process.exitCode = 2;')), {
    code: 'CLI_USAGE',
    message: 'silent refuses what it was told',
  });
});

test('a service that ends by itself is reported, one that is killed or stopped is not', async () => {
  const ready = "process.send('ready');\nprocess.on('message', () => undefined);\n";
  const dying = await ServiceProcess.start(
    launchOf('dying', `${ready}setTimeout(() => process.exit(9), 50);`),
  );
  await rejects(dying.lost, { code: 'REHEARSAL_SERVICE_LOST', message: /exit code 9/ });
  const seen: unknown[] = [];
  for (const end of ['kill', 'stop'] as const) {
    const service = await ServiceProcess.start(launchOf(end, ready));
    service.lost.catch((error: unknown) => seen.push(error));
    await service[end]();
  }
  deepEqual(seen, []);
});
