import { mkdirSync } from 'node:fs';
import { createClient, type ClickHouseClient } from '@clickhouse/client';
import { analyticsError } from '../../errors.ts';
import { migrate } from './migrations.ts';

export interface ClickHouseOptions {
  /** A server; empty takes the engine in this process. */
  readonly url: string;
  readonly database: string;
  /** Where the engine in this process keeps its data. One process at a time. */
  readonly folder: string;
}

/**
 * A client on a server, or on the engine in this process. One code path: only the connection differs.
 *
 * @throws SefleetError `ANALYTICS_STORE_UNAVAILABLE` or `ANALYTICS_SCHEMA_CONFLICT`.
 */
export async function openClient(options: ClickHouseOptions): Promise<ClickHouseClient> {
  const client = options.url === '' ? await openEmbedded(options) : await openServer(options);
  try {
    await migrate(client);
    return client;
  } catch (error) {
    await client.close();
    throw error;
  }
}

async function openServer({ url, database }: ClickHouseOptions): Promise<ClickHouseClient> {
  const withoutDatabase = createClient({ url });
  try {
    await withoutDatabase.command({ query: `CREATE DATABASE IF NOT EXISTS ${database}` });
  } catch (cause) {
    throw analyticsError('ANALYTICS_STORE_UNAVAILABLE', 'the ClickHouse server does not answer as expected', {
      cause,
      hint: 'Check SEFLEET_CLICKHOUSE_URL, and that its user may create a database.',
    });
  } finally {
    await withoutDatabase.close();
  }
  return createClient({ url, database });
}

async function openEmbedded({ database, folder }: ClickHouseOptions): Promise<ClickHouseClient> {
  mkdirSync(folder, { recursive: true });
  try {
    // Half a second and 200 MB: loaded only by who needs it.
    const { createChdbConnection } = await import('chdb/connection');
    // The two packages carry a copy of the same declarations each, one of them with a private member.
    const connection = createChdbConnection({ path: folder }) as unknown as EmbeddedConnection;
    const client = createClient({ connection });
    await client.command({ query: `CREATE DATABASE IF NOT EXISTS ${database}` });
    // There is one session, so that this holds for everything after it.
    await client.command({ query: `USE ${database}` });
    return client;
  } catch (cause) {
    throw analyticsError('ANALYTICS_STORE_UNAVAILABLE', `cannot open the embedded ClickHouse in ${folder}`, {
      cause,
      hint: 'Look for a second process on the data folder (SEFLEET_DATA), or set SEFLEET_CLICKHOUSE_URL.',
    });
  }
}

type EmbeddedConnection = NonNullable<NonNullable<Parameters<typeof createClient>[0]>['connection']>;
