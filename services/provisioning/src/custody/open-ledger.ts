import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { provisioningError } from '../errors.ts';

/**
 * Opens the SQLite file of a vault, readable by its owner only, and brings it to the newest schema. Every
 * commit survives a power cut, and what is deleted is wiped.
 *
 * @param migrations One script a version; those that the file has not seen run in order.
 */
export function openLedger(path: string, migrations: readonly string[]): DatabaseSync {
  try {
    if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const database = new DatabaseSync(path);
    database.exec('PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA journal_mode = WAL;');
    database.exec('PRAGMA busy_timeout = 5000;');
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
    // A full disk has rolled back by itself.
    if (database.isTransaction) database.exec('ROLLBACK');
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
