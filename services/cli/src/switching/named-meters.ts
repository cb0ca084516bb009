import { readFileSync } from 'node:fs';
import { SefleetError } from '@sefleet/errors';

/** More than a switch may have says that the wrong file was named. */
const MAX_BYTES = 16 * 1024 * 1024;

/** The meters that were named on the command line, and those in a file, one a line; `-` is standard input. */
export function namedMeters(names: readonly string[], file: string | undefined): readonly string[] {
  if (file === undefined) return names;
  const lines = readList(file)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (lines.length > 0) return [...names, ...lines];
  throw new SefleetError('CLI_USAGE', 'caller', `${file} names no meter`, {
    hint: 'It has one endpoint name a line.',
  });
}

function readList(file: string): string {
  const hint = 'Name a file with one endpoint name a line, or - for standard input.';
  let text: string;
  try {
    text = readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    throw new SefleetError('CLI_USAGE', 'caller', `${file} cannot be read`, { cause, hint });
  }
  if (text.length <= MAX_BYTES) return text;
  throw new SefleetError('CLI_USAGE', 'caller', `${file} is no list of meters: it is too long`, { hint });
}
