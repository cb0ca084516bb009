import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a service found wrong, by its own log. */
export interface LoggedFailures {
  readonly warnings: number;
  readonly errors: number;
}

const LINE = /^\{"level":"(warn|error|fatal)"/gm;

/** Where the process of this name writes its log. */
export function logFileOf(dataFolder: string, service: string): string {
  return join(dataFolder, `${service.replace(':', '-')}.log`);
}

/** Counts what a service logged as a warning or an error. */
export function loggedFailures(dataFolder: string, service: string): LoggedFailures {
  let text = '';
  try {
    text = readFileSync(logFileOf(dataFolder, service), 'utf8');
  } catch {
    // Nothing was logged.
  }
  const levels = [...text.matchAll(LINE)].map(([, level]) => level);
  const warnings = levels.filter((level) => level === 'warn').length;
  return { warnings, errors: levels.length - warnings };
}
