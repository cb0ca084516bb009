import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SefleetError } from '@sefleet/errors';
import { parseBundle, verifyBundle } from '@sefleet/evidence';
import { usageError, type Verb } from '../command-line.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { printable } from '../terminal/printable.ts';

export const reportVerify: Verb = {
  name: 'report verify',
  summary: 'verify an evidence bundle offline: certificates, signatures, keys, probes, every meter, roots',
  positionals: '<bundle.json or report folder>',
  options: {
    authority: {
      type: 'string',
      value: 'file',
      doc: 'certificate (PEM) of the authority that you trust, got by another way than the bundle',
    },
    json: { type: 'boolean', doc: 'as JSON' },
  },
  examples: [
    'sefleet report verify report/bundle.json',
    'sefleet report verify report --authority authority.pem --json',
  ],
  run: async (parsed) => {
    const [path] = parsed.positionals;
    if (path === undefined)
      throw usageError('which bundle?', 'Run `sefleet report verify --help` for an example.');
    const trusted = parsed.text('authority');
    const checks = verifyBundle(
      parseBundle(readBundle(path)),
      trusted === undefined ? undefined : readAuthority(trusted),
    );
    if (parsed.flag('json')) console.log(JSON.stringify({ checks }));
    else
      for (const { name, holds, detail } of checks)
        console.log(`${holds ? 'holds ' : 'BROKEN'}  ${name}: ${printable(detail)}`);
    return checks.every(({ holds }) => holds) ? EXIT_CODES.passed : EXIT_CODES.dataIntegrity;
  },
};

function readBundle(path: string): string {
  const folder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  return readText(folder ? join(path, 'bundle.json') : path, 'Name a bundle.json or the folder it is in.');
}

function readAuthority(path: string): string {
  const hint = 'Name a certificate in PEM.';
  const pem = readText(path, hint);
  try {
    new X509Certificate(pem);
  } catch (cause) {
    throw new SefleetError('CLI_USAGE', 'caller', `${path} is no certificate`, { cause, hint });
  }
  return pem;
}

function readText(path: string, hint: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new SefleetError('CLI_USAGE', 'caller', `${path} cannot be read`, { cause, hint });
  }
}
