import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SefleetError } from '@sefleet/errors';
import { parseBundle, verifyBundle, type BundleCheck } from '@sefleet/evidence';
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
    if (!parsed.flag('json')) console.log(conclusion(checks, trusted !== undefined));
    return checks.every(({ holds }) => holds) ? EXIT_CODES.passed : EXIT_CODES.dataIntegrity;
  },
};

/** What all of it comes to, as the last line. */
function conclusion(checks: readonly BundleCheck[], isTrusted: boolean): string {
  const broken = checks.filter(({ holds }) => !holds).length;
  if (broken > 0) return `The evidence does not verify: ${broken} of ${checks.length} checks are broken.`;
  if (isTrusted)
    return `The evidence verifies: ${checks.length} checks hold, under the authority that you trust.`;
  return `The evidence agrees with itself (${checks.length} checks): name your --authority to know whose.`;
}

/** Twice what 20,000 meters leave, and less than a text can have. */
const MAX_BYTES = 500_000_000;

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
  const found = statSync(path, { throwIfNoEntry: false });
  // A device or a pipe would never end.
  if (found?.isFile() === false) throw usageError(`${path} is no file`, hint);
  if (found !== undefined && found.size > MAX_BYTES)
    throw usageError(`${path} has ${found.size} bytes; a bundle has at most ${MAX_BYTES}`, hint);
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new SefleetError('CLI_USAGE', 'caller', `${path} cannot be read`, { cause, hint });
  }
}
