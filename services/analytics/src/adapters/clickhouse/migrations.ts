import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { ClickHouseClient } from '@clickhouse/client';
import { analyticsError } from '../../errors.ts';

interface Migration {
  readonly version: number;
  readonly name: string;
  readonly statements: readonly string[];
  readonly checksum: string;
}

const FOLDER = new URL('sql/', import.meta.url);

/**
 * Brings the client's database to the newest schema: every file of `sql/` once, in the order of its number.
 *
 * @throws SefleetError `ANALYTICS_SCHEMA_CONFLICT` when a file that was applied reads differently now.
 */
export async function migrate(client: ClickHouseClient): Promise<void> {
  await client.command({
    query: `CREATE TABLE IF NOT EXISTS schema_versions
      (version UInt32, name String, checksum String, applied_at DateTime DEFAULT now())
      ENGINE = MergeTree ORDER BY version`,
  });
  const result = await client.query({
    query: 'SELECT version, checksum FROM schema_versions',
    format: 'JSONEachRow',
  });
  const rows = await result.json<{ readonly version: number; readonly checksum: string }>();
  const applied = new Map(rows.map(({ version, checksum }) => [version, checksum]));
  for (const migration of readMigrations()) {
    const checksum = applied.get(migration.version);
    if (checksum === undefined) await apply(client, migration);
    else if (checksum !== migration.checksum) {
      throw analyticsError(
        'ANALYTICS_SCHEMA_CONFLICT',
        `${migration.name} was applied with other statements`,
        {
          hint: 'Use the version that made the database, or another SEFLEET_CLICKHOUSE_DATABASE.',
        },
      );
    }
  }
}

async function apply(
  client: ClickHouseClient,
  { version, name, statements, checksum }: Migration,
): Promise<void> {
  // ClickHouse has no transactions over tables: a file that broke off is begun again.
  for (const statement of statements) {
    await client.command({ query: statement.replace(/^CREATE (TABLE|VIEW) /, 'CREATE $1 IF NOT EXISTS ') });
  }
  await client.insert({
    table: 'schema_versions',
    values: [{ version, name, checksum }],
    columns: ['version', 'name', 'checksum'],
    format: 'JSONEachRow',
  });
}

function readMigrations(): readonly Migration[] {
  return readdirSync(FOLDER)
    .filter((name) => /^\d{4}-.*\.sql$/.test(name))
    .toSorted()
    .map((name) => {
      const text = readFileSync(new URL(name, FOLDER), 'utf8');
      const statements = text
        .replaceAll(/^--.*$/gm, '')
        .split(/;\s*$/m)
        .map((statement) => statement.trim())
        .filter((statement) => statement !== '');
      const checksum = createHash('sha256').update(statements.join(';')).digest('hex');
      return { version: Number(name.slice(0, 4)), name, statements, checksum };
    });
}
