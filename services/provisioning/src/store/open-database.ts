import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { provisioningError } from '../errors.ts';

/**
 * Opens a SQLite file in WAL mode and brings it to the newest schema.
 *
 * @param durability `power`: every commit survives a power cut; `process`: every commit survives the end of
 * the
 *   process, and a power cut may take the last few.
 * @param migrations One script a version; those that the file has not seen run in order.
 */
export function openDatabase(
  path: string,
  durability: 'power' | 'process',
  migrations: readonly string[],
): DatabaseSync {
  try {
    if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const database = new DatabaseSync(path);
    const care = durability === 'power' ? POWER : PROCESS;
    database.exec(`${care} PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000;`);
    if (path !== ':memory:') chmodSync(path, 0o600);
    migrate(database, migrations);
    return database;
  } catch (cause) {
    throw provisioningError('PROVISIONING_STORE_UNAVAILABLE', `${path} cannot be opened`, {
      cause,
      hint: 'Check that the data folder can be written and the disk is not full.',
    });
  }
}

/** Runs `work` in one transaction: all of it lasts, or nothing. */
export function inTransaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
}

function migrate(database: DatabaseSync, migrations: readonly string[]): void {
  const row = database.prepare('PRAGMA user_version').get();
  const version = Number(row?.['user_version'] ?? 0);
  for (const [index, script] of migrations.entries()) {
    if (index < version) continue;
    inTransaction(database, () => {
      database.exec(script);
      database.exec(`PRAGMA user_version = ${index + 1}`);
    });
  }
}

const POWER = 'PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;';
const PROCESS = 'PRAGMA synchronous = NORMAL;';
