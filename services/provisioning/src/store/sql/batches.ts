import type { SqlDatabase, SqlRow, SqlStatement, SqlValue } from '@sefleet/service';

/** Sizes of lists in a statement: few, so that few texts are compiled, and far below every limit. */
const SIZES = [1, 16, 256] as const;
const LARGEST = 256;

/**
 * Rows for many keys, some hundreds a query; a key that is there twice may give its rows twice.
 *
 * @param sql Ends where the list of keys begins, for example `SELECT * FROM devices WHERE endpoint IN`.
 */
export async function queryEach(
  database: SqlDatabase,
  sql: string,
  keys: readonly string[],
): Promise<readonly SqlRow[]> {
  const rows: SqlRow[] = [];
  for (let at = 0; at < keys.length; at += LARGEST) {
    const batch = keys.slice(at, at + LARGEST);
    const size = SIZES.find((candidate) => candidate >= batch.length) ?? LARGEST;
    const [first = ''] = batch;
    // The list is filled up with one that is in it already.
    const list = [...batch, ...Array<string>(size - batch.length).fill(first)];
    rows.push(...(await database.query(`${sql} (${placeholders(size)})`, list)));
  }
  return rows;
}

/** Statements that insert many rows, some tens a statement. */
export function insertMany(
  into: string,
  columns: number,
  rows: readonly (readonly SqlValue[])[],
): readonly SqlStatement[] {
  const statements: SqlStatement[] = [];
  const row = `(${placeholders(columns)})`;
  for (let at = 0; at < rows.length;) {
    const size = rows.length - at >= ROWS ? ROWS : 1;
    const values = rows.slice(at, at + size).flat();
    statements.push({
      sql: `INSERT INTO ${into} VALUES ${Array<string>(size).fill(row).join(', ')}`,
      values,
    });
    at += size;
  }
  return statements;
}

const ROWS = 32;

function placeholders(count: number): string {
  return Array<string>(count).fill('?').join(', ');
}
