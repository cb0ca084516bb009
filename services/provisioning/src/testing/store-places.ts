import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEventLog } from '@sefleet/observability';
import { PostgresDatabase } from '@sefleet/service';
import { SKIP_WITHOUT_POSTGRES, startPostgres, type TestPostgres } from '@sefleet/service/testing';
import { openStores, type Stores } from '../store/open-stores.ts';

/** Where stores are tried: on SQLite, and on PostgreSQL where there is one. */
export class StorePlaces {
  readonly #root = mkdtempSync(join(tmpdir(), 'stores-'));
  readonly #log = createEventLog({ service: 'test', level: 'silent' });
  #postgres: TestPostgres | undefined;
  #count = 0;

  readonly kinds = [
    { name: 'SQLite', skip: false, ...this.#place(() => '') },
    { name: 'PostgreSQL', skip: SKIP_WITHOUT_POSTGRES, ...this.#place(() => this.#postgres?.url ?? '') },
  ] as const;

  async open(): Promise<void> {
    if (SKIP_WITHOUT_POSTGRES === false) this.#postgres = await startPostgres();
  }

  async close(): Promise<void> {
    if (this.#postgres !== undefined) await dropSchemas(this.#postgres.url);
    await this.#postgres?.stop();
    rmSync(this.#root, { recursive: true, force: true });
  }

  /** A data folder that nobody uses. */
  folder(): string {
    this.#count++;
    return join(this.#root, String(this.#count));
  }

  #place(url: () => string) {
    let folder = '';
    const again = (): Promise<Stores> =>
      openStores({ databaseUrl: url(), databaseSchema: '' }, folder, this.#log);
    return {
      /** Stores in a place of their own; `again` opens them as the next process does. */
      fresh: (): Promise<Stores> => {
        folder = this.folder();
        return again();
      },
      again,
      close: async ({ store, journal, parties }: Stores): Promise<void> => {
        await store.close();
        await journal.close();
        await parties.close();
      },
    };
  }
}

async function dropSchemas(url: string): Promise<void> {
  const database = new PostgresDatabase(url, 'public', () => undefined);
  const rows = await database.query(
    `SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'provisioning\\_%'`,
  );
  for (const row of rows) await database.migrate(`DROP SCHEMA ${String(row['schema_name'])} CASCADE`);
  await database.close();
}
