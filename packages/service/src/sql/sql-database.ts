/** A value that both databases take and give. */
export type SqlValue = string | number | Uint8Array | null;

/** One row by column; integers may come as numbers or as text, BYTEA as bytes. */
export type SqlRow = Readonly<Record<string, unknown>>;

/** One statement with `?` for its parameters. */
export interface SqlStatement {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

/** What the store needs of a database: the common part of SQLite and PostgreSQL, in one dialect with `?`. */
export interface SqlDatabase {
  readonly dialect: 'sqlite' | 'postgres';
  /** Runs statements without parameters, separated by `;`: all of them or none. */
  migrate(sql: string): Promise<void>;
  query(sql: string, values?: readonly SqlValue[]): Promise<readonly SqlRow[]>;
  /** Runs all or none, in order. */
  write(statements: readonly SqlStatement[]): Promise<void>;
  close(): Promise<void>;
}
