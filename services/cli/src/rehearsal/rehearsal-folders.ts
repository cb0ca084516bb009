import { accessSync, constants, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { SefleetError } from '@sefleet/errors';
import { usageError } from '../command-line.ts';
import { FolderLock, LOCK_FILE } from './folder-lock.ts';

/** Where a rehearsal works and where its report goes; nobody else does so meanwhile. */
export class RehearsalFolders {
  readonly out: string;
  readonly data: string;
  readonly #isKept: boolean;
  readonly #locks: FolderLock[] = [];

  /**
   * Finds out before a long run that its report cannot be written at the end, and claims the folders.
   *
   * @param data where databases and logs are kept; undefined for a folder that goes with the rehearsal
   * @throws SefleetError `CLI_USAGE` for a folder that cannot be written, in which another rehearsal runs, or
   *   where an earlier one kept its data
   */
  constructor(out: string, data: string | undefined) {
    this.out = resolve(out);
    this.#isKept = data !== undefined;
    const kept = data === undefined ? undefined : resolve(data);
    if (kept === this.out)
      throw usageError('--out and --data are the same folder', 'A report is handed on, data stays.');
    try {
      this.#claim('--out', this.out);
      if (kept !== undefined) this.#claim('--data', kept);
      if (kept !== undefined && readdirSync(kept).some((name) => name !== LOCK_FILE))
        throw usageError(
          `--data ${kept} is not empty`,
          'Name a new or an empty folder: each rehearsal has cards and keys of its own.',
        );
      this.data = kept ?? temporaryFolder();
    } catch (error) {
      this.#unlock();
      throw error;
    }
  }

  /** Lets others in; a folder that was to go with the rehearsal is removed. */
  release(): void {
    this.#unlock();
    if (!this.#isKept) rmSync(this.data, { recursive: true, force: true });
  }

  #claim(option: string, folder: string): void {
    let lock: FolderLock | undefined;
    try {
      makeFolder(folder);
      accessSync(folder, constants.W_OK);
      lock = FolderLock.take(folder);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new SefleetError('CLI_USAGE', 'caller', `${option} ${folder} cannot be written: ${why}`, {
        cause,
        hint: 'Name a folder that you may write to.',
      });
    }
    if (lock === undefined)
      throw usageError(
        `another rehearsal works in ${option} ${folder} now`,
        'Wait for its end, or name another folder.',
      );
    this.#locks.push(lock);
  }

  #unlock(): void {
    for (const lock of this.#locks.splice(0)) lock.release();
  }
}

function temporaryFolder(): string {
  const parent = resolve('.sefleet');
  mkdirSync(parent, { recursive: true });
  return mkdtempSync(join(parent, 'rehearsal-'));
}

/** One by one: the recursive form never returns where the system refuses new folders as /proc does. */
function makeFolder(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return;
  makeFolder(dirname(folder));
  try {
    mkdirSync(folder);
  } catch (error) {
    // Another rehearsal may have made the same one meanwhile.
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) throw error;
  }
}
