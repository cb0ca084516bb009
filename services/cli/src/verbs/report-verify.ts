import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SefleetError } from '@sefleet/errors';
import { parseBundle, verifyBundle } from '@sefleet/evidence';
import { usageError, type Verb } from '../command-line.ts';
import { EXIT_CODES } from '../exit-codes.ts';

export const reportVerify: Verb = {
  name: 'report verify',
  summary: 'verify an evidence bundle offline: certificates, signatures, counter-signatures, root',
  positionals: '<bundle.json or report folder>',
  options: { json: { type: 'boolean', doc: 'as JSON' } },
  examples: ['sefleet report verify report/bundle.json', 'sefleet report verify report --json'],
  run: async (parsed) => {
    const [path] = parsed.positionals;
    if (path === undefined)
      throw usageError('which bundle?', 'Run `sefleet report verify --help` for an example.');
    const checks = verifyBundle(parseBundle(readBundle(path)));
    if (parsed.flag('json')) console.log(JSON.stringify({ checks }));
    else
      for (const { name, holds, detail } of checks)
        console.log(`${holds ? 'holds ' : 'BROKEN'}  ${name}: ${detail}`);
    return checks.every(({ holds }) => holds) ? EXIT_CODES.passed : EXIT_CODES.dataIntegrity;
  },
};

function readBundle(path: string): string {
  try {
    return readFileSync(statSync(path).isDirectory() ? join(path, 'bundle.json') : path, 'utf8');
  } catch (cause) {
    throw new SefleetError('CLI_USAGE', 'caller', `${path} cannot be read`, {
      cause,
      hint: 'Name a bundle.json or the folder it is in.',
    });
  }
}
