import { Pool } from 'pg';
import type { SqlDatabase, SqlRow, SqlStatement, SqlValue } from './sql-database.ts';

const CONNECTIONS_MAX = 4;

/** A PostgreSQL database; several servers may share one, each with a schema of its own. */
export class PostgresDatabase implements SqlDatabase {
  readonly dialect = 'postgres';
  readonly #pool: Pool;
  readonly #schema: string;

  /**
   * @param url `postgres://user:password@host/database`
   * @param schema of this server's tables; made when it is missing
   */
  constructor(url: string, schema: string, onError: (error: unknown) => void) {
    this.#schema = schema;
    this.#pool = new Pool({
      connectionString: url,
      max: CONNECTIONS_MAX,
      options: `-c search_path=${schema}`,
    });
    // An idle connection that the database closed; the pool makes another.
    this.#pool.on('error', onError);
  }

  async migrate(sql: string): Promise<void> {
    await this.#pool.query(`CREATE SCHEMA IF NOT EXISTS ${this.#schema}`);
    await this.#pool.query(sql);
  }

  async query(sql: string, values: readonly SqlValue[] = []): Promise<readonly SqlRow[]> {
    const { rows } = await this.#pool.query<Record<string, unknown>>(numbered(sql), [...values]);
    return rows;
  }

  async write(statements: readonly SqlStatement[]): Promise<void> {
    const client = await this.#pool.connect();
    try {
      await client.query('BEGIN');
      for (const { sql, values } of statements) await client.query(numbered(sql), [...values]);
      await client.query('COMMIT');
      client.release();
    } catch (error) {
      // A connection that cannot even roll back is thrown away.
      const broken = await client.query('ROLLBACK').then(
        () => false,
        () => true,
      );
      client.release(broken);
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}

/** PostgreSQL numbers its parameters. No text of the store has a question mark in a literal. */
function numbered(sql: string): string {
  let next = 0;
  return sql.replaceAll('?', () => `$${++next}`);
}
