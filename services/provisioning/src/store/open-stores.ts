import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { PostgresDatabase, SqliteDatabase, type SqlDatabase } from '@sefleet/service';
import type { EventLog } from '@sefleet/observability';
import { provisioningError } from '../errors.ts';
import { PROVISIONING_EVENTS } from '../events.ts';
import type { ProvisioningStore } from './provisioning-store.ts';
import type { PartyStore } from './party-store.ts';
import { SqlPartyStore } from './sql/sql-party-store.ts';
import { SqlProvisioningStore } from './sql/sql-provisioning-store.ts';
import { SqlSwitchJournal } from './sql/sql-switch-journal.ts';
import type { SwitchJournal } from './switch-journal.ts';

/** What the service keeps beside keys. */
export interface Stores {
  readonly store: ProvisioningStore;
  readonly journal: SwitchJournal;
  readonly parties: PartyStore;
}

/**
 * Opens state and journal: two SQLite files in the data folder, or a PostgreSQL schema.
 *
 * @throws SefleetError `PROVISIONING_STORE_UNAVAILABLE`.
 */
export async function openStores(
  settings: { readonly databaseUrl: string; readonly databaseSchema: string },
  dataFolder: string,
  log: EventLog,
): Promise<Stores> {
  const { databaseUrl } = settings;
  const schema = settings.databaseSchema === '' ? schemaOf(dataFolder) : settings.databaseSchema;
  const onError = (error: unknown): void => log.emit(PROVISIONING_EVENTS.databaseFailed, { error });
  const open = (file: string, part: string): SqlDatabase =>
    databaseUrl === ''
      ? new SqliteDatabase(join(dataFolder, file))
      : new PostgresDatabase(databaseUrl, schema + part, onError);
  try {
    return {
      store: await SqlProvisioningStore.open(open('state.sqlite', '')),
      journal: await SqlSwitchJournal.open(open('switches.sqlite', '_switches')),
      parties: await SqlPartyStore.open(open('parties.sqlite', '_parties')),
    };
  } catch (cause) {
    const hint =
      databaseUrl === ''
        ? 'Check that the data folder can be written and the disk is not full.'
        : 'Check DATABASE_URL and that its user may create a schema.';
    throw provisioningError('PROVISIONING_STORE_UNAVAILABLE', 'the state cannot be opened', { cause, hint });
  }
}

/**
 * A schema of the data folder's own, because the vaults there and the rows in the database belong together: a
 * demo or a rehearsal in a folder of its own does not meet what another one left.
 */
function schemaOf(dataFolder: string): string {
  const name = createHash('sha256').update(resolve(dataFolder)).digest('hex').slice(0, 12);
  return `provisioning_${name}`;
}
