import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { LAYOUT_SETTINGS, type Layout } from '../../services/cli/src/supervisor/layout.ts';

/** Variables by the names of their settings. */
const ENV: ReadonlyMap<string, string> = new Map(
  Object.entries(LAYOUT_SETTINGS).map(([name, { env }]) => [name, env]),
);

/** The command against a running system, as a person would type it. */
export interface SefleetCommand {
  /** What it printed; fails unless it ends with `expected`. */
  run(args: readonly string[], expected?: number): Promise<string>;
  /** What it printed with `--json`. */
  read<T>(...args: readonly string[]): Promise<T>;
}

/** @param layout of the system that the command talks to */
export function sefleetCommand(layout: Layout): SefleetCommand {
  const settings = Object.entries(layout).map(([name, value]) => [ENV.get(name), String(value)]);
  const env = { ...process.env, ...Object.fromEntries(settings) };
  const run = (args: readonly string[], expected = 0): Promise<string> =>
    new Promise((resolve, reject) => {
      const command = ['services/cli/bin/sefleet.mjs', ...args];
      execFile(process.execPath, command, { env }, (error, stdout, stderr) => {
        const code = typeof error?.code === 'number' ? error.code : error === null ? 0 : -1;
        try {
          assert.equal(code, expected, `${args.join(' ')}: ${stdout} ${stderr}`);
          resolve(stdout + stderr);
        } catch (wrong) {
          reject(wrong);
        }
      });
    });
  const read = async <T>(...args: readonly string[]): Promise<T> => {
    const parsed: T = JSON.parse(await run([...args, '--json']));
    return parsed;
  };
  return { run, read };
}
