import type { SqlDatabase } from '@sefleet/service';

/**
 * Brings a database to the newest schema.
 *
 * @param scripts One a version, in the common dialect of SQLite and PostgreSQL; those that the database has
 *   not seen run in order. Scripts that have been released are never changed.
 */
export async function migrate(database: SqlDatabase, scripts: readonly string[]): Promise<void> {
  await database.migrate('CREATE TABLE IF NOT EXISTS schema_versions (version INTEGER PRIMARY KEY)');
  const rows = await database.query('SELECT coalesce(max(version), 0) AS version FROM schema_versions');
  // Files from before PostgreSQL was possible count in SQLite's own place.
  const own = database.dialect === 'sqlite' ? await database.query('PRAGMA user_version') : [];
  const seen = Math.max(Number(rows[0]?.['version'] ?? 0), Number(own[0]?.['user_version'] ?? 0));
  for (const [index, script] of scripts.entries()) {
    if (index < seen) continue;
    const version = `INSERT INTO schema_versions (version) VALUES (${index + 1})`;
    await database.migrate(`${script} ${version};`);
  }
}
