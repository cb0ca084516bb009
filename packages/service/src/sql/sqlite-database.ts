import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { SqlDatabase, SqlRow, SqlStatement, SqlValue } from './sql-database.ts';

/**
 * One SQLite file, readable by its owner only. WAL with `synchronous = NORMAL`: a commit survives the process
 * whatever kills it; a power cut may cost the last moments.
 */
export class SqliteDatabase implements SqlDatabase {
  readonly dialect = 'sqlite';
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** @param file path of the database, or `:memory:` */
  constructor(file: string) {
    if (file !== ':memory:') mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    this.#database = new DatabaseSync(file);
    this.#database.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000;',
    );
    if (file !== ':memory:') chmodSync(file, 0o600);
  }

  migrate(sql: string): Promise<void> {
    return Promise.try(() => this.#atomically(() => this.#database.exec(sql)));
  }

  query(sql: string, values: readonly SqlValue[] = []): Promise<readonly SqlRow[]> {
    return Promise.try(() => this.#prepared(sql).all(...values));
  }

  write(statements: readonly SqlStatement[]): Promise<void> {
    return Promise.try(() =>
      this.#atomically(() => {
        for (const { sql, values } of statements) this.#prepared(sql).run(...values);
      }),
    );
  }

  close(): Promise<void> {
    return Promise.try(() => this.#database.close());
  }

  #atomically(run: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      run();
      this.#database.exec('COMMIT');
    } catch (error) {
      // A full disk has rolled back by itself.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  /** The texts of a store are few and constant. */
  #prepared(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}
