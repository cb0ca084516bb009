import { closeSync, fchmodSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { usageError } from './command-line.ts';

/** How {@link writeResult} writes. */
interface ResultFile {
  /** For the eyes of its owner alone, whoever could read a file of that name before. */
  readonly isSecret?: boolean;
  /** Nothing that is there is written over. */
  readonly isNew?: boolean;
  /** Makes the folder, too. */
  readonly withFolder?: boolean;
}

/** Writes the file that a verb was asked for. @throws SefleetError `CLI_USAGE` when it cannot be written */
export function writeResult(
  file: string,
  data: string | Uint8Array,
  { isSecret = false, isNew = false, withFolder = false }: ResultFile = {},
): void {
  try {
    if (withFolder) mkdirSync(dirname(file), { recursive: true });
    const descriptor = openSync(file, isNew ? 'wx' : 'w', isSecret ? 0o600 : 0o666);
    try {
      if (isSecret) fchmodSync(descriptor, 0o600);
      writeFileSync(descriptor, data);
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw usageError(`${file} cannot be written: ${reason}`, 'Name a file in a folder that can be written.');
  }
}
