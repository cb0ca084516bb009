import { closeSync, existsSync, openSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** The file in a folder that whoever works there holds. */
export const LOCK_FILE = '.rehearsal.lock';

/**
 * The right to be the only one in a folder. The system keeps it: it ends with the process, however that ends,
 * and a file that a killed process left behind locks nobody out.
 */
export class FolderLock {
  readonly #path: string;
  readonly #database: DatabaseSync;

  private constructor(path: string, database: DatabaseSync) {
    this.#path = path;
    this.#database = database;
  }

  /** The lock of a folder that exists; undefined when somebody else has it. */
  static take(folder: string): FolderLock | undefined {
    const path = join(folder, LOCK_FILE);
    for (;;) {
      if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600));
      const before = statSync(path, { throwIfNoEntry: false })?.ino;
      const database = new DatabaseSync(path);
      try {
        // Nothing is ever written: the lock of the empty file is all that is wanted.
        database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
      } catch {
        database.close();
        return undefined;
      }
      // Whoever had it may have removed the file meanwhile: then this lock is one of nothing.
      if (statSync(path, { throwIfNoEntry: false })?.ino === before) return new FolderLock(path, database);
      database.close();
    }
  }

  /** Lets the next one in. */
  release(): void {
    rmSync(this.#path, { force: true });
    this.#database.close();
  }
}
