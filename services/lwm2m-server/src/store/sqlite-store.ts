import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { AnnouncementTable } from '@sefleet/lwm2m-coap';
import type { Registration, StoredObservation, StoredState } from '@sefleet/lwm2m-coap';
import type { Timers } from '@sefleet/runtime';
import { fromRow, toRow } from './registration-row.ts';
import type { ServerStore } from './server-store.ts';
import { WriteQueue } from './write-queue.ts';

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS registrations (
    endpoint TEXT PRIMARY KEY,
    id TEXT NOT NULL,
    credential TEXT NOT NULL,
    kind TEXT NOT NULL,
    version TEXT NOT NULL,
    lifetime_seconds INTEGER NOT NULL,
    binding TEXT NOT NULL,
    queue_mode INTEGER NOT NULL,
    sms_number TEXT,
    links TEXT NOT NULL,
    registered_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS observations (
    endpoint TEXT NOT NULL,
    paths TEXT NOT NULL,
    PRIMARY KEY (endpoint, paths)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS bootstraps (
    endpoint TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    at_ms INTEGER NOT NULL
  ) WITHOUT ROWID;
`;

/**
 * The store in one SQLite file. WAL with `synchronous = NORMAL`: a commit survives the process whatever kills it; a power
 * cut may cost the last moments, after which devices register again.
 */
export class SqliteStore implements ServerStore {
  readonly #database: DatabaseSync;
  readonly #queue: WriteQueue;
  readonly #saveRegistration: StatementSync;
  readonly #touchRegistration: StatementSync;
  readonly #removeRegistration: StatementSync;
  readonly #removeObservations: StatementSync;
  readonly #saveObservation: StatementSync;
  readonly #removeObservation: StatementSync;
  readonly #saveBootstrap: StatementSync;

  /** @param file path of the database, or `:memory:` */
  constructor(file: string, timers: Timers, onFailure: (error: unknown) => void) {
    if (file !== ':memory:') mkdirSync(dirname(file), { recursive: true });
    this.#database = new DatabaseSync(file);
    this.#database.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000;',
    );
    this.#database.exec(SCHEMA);
    const prepare = (sql: string): StatementSync => this.#database.prepare(sql);
    this.#saveRegistration = prepare(
      `INSERT OR REPLACE INTO registrations VALUES (:endpoint, :id, :credential, :kind, :version, :lifetime_seconds,
        :binding, :queue_mode, :sms_number, :links, :registered_at_ms, :updated_at_ms)`,
    );
    this.#touchRegistration = prepare(
      `UPDATE registrations SET lifetime_seconds = :lifetime_seconds, binding = :binding, queue_mode = :queue_mode,
        sms_number = :sms_number, links = :links, updated_at_ms = :updated_at_ms WHERE endpoint = :endpoint AND id = :id`,
    );
    this.#removeRegistration = prepare('DELETE FROM registrations WHERE endpoint = ? AND id = ?');
    this.#removeObservations = prepare('DELETE FROM observations WHERE endpoint = ?');
    this.#saveObservation = prepare('INSERT OR REPLACE INTO observations VALUES (?, ?)');
    this.#removeObservation = prepare('DELETE FROM observations WHERE endpoint = ? AND paths = ?');
    this.#saveBootstrap = prepare('INSERT OR REPLACE INTO bootstraps VALUES (?, ?, ?)');
    this.#queue = new WriteQueue(timers, (writes) => this.#commit(writes), onFailure);
  }

  load(): Promise<StoredState> {
    const announcements = new AnnouncementTable();
    const registrations: Registration[] = [];
    for (const row of this.#database.prepare('SELECT * FROM registrations').iterate()) {
      registrations.push(fromRow(row, announcements));
    }
    const observations: StoredObservation[] = [];
    for (const { endpoint, paths } of this.#database.prepare('SELECT * FROM observations').iterate()) {
      observations.push({ endpoint: String(endpoint), paths: String(paths).split(' ') });
    }
    return Promise.resolve({ registrations, observations });
  }

  saveRegistration(registration: Registration): Promise<void> {
    const row = toRow(registration);
    return this.#queue.push({ key: '', apply: () => void this.#saveRegistration.run(row) });
  }

  touchRegistration(registration: Registration): void {
    const { endpoint, id, lifetimeSeconds, binding, queueMode, smsNumber, announcement, updatedAtMs } =
      registration;
    const apply = (): void =>
      void this.#touchRegistration.run({
        endpoint,
        id,
        lifetime_seconds: lifetimeSeconds,
        binding,
        queue_mode: Number(queueMode),
        sms_number: smsNumber ?? null,
        links: announcement.links,
        updated_at_ms: Math.round(updatedAtMs),
      });
    void this.#queue.push({ key: `touch ${id}`, apply }).catch(() => {});
  }

  removeRegistration({ endpoint, id }: Registration): void {
    this.#push(() => {
      const { changes } = this.#removeRegistration.run(endpoint, id);
      if (changes !== 0) this.#removeObservations.run(endpoint);
    });
  }

  saveObservation({ endpoint, paths }: StoredObservation): void {
    this.#push(() => this.#saveObservation.run(endpoint, paths.join(' ')));
  }

  removeObservation({ endpoint, paths }: StoredObservation): void {
    this.#push(() => this.#removeObservation.run(endpoint, paths.join(' ')));
  }

  saveBootstrap(endpoint: string, kind: string, atMs: number): void {
    this.#push(() => this.#saveBootstrap.run(endpoint, kind, Math.round(atMs)));
  }

  bootstrapCounts(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    const rows = this.#database
      .prepare('SELECT kind, count(*) AS devices FROM bootstraps GROUP BY kind')
      .iterate();
    for (const { kind, devices } of rows) counts.set(String(kind), Number(devices));
    return counts;
  }

  flush(): Promise<void> {
    return this.#queue.flush();
  }

  async close(): Promise<void> {
    await this.flush();
    this.#database.close();
  }

  #push(apply: () => void): void {
    void this.#queue.push({ key: '', apply }).catch(() => {});
  }

  #commit(writes: readonly { apply(): void }[]): void {
    this.#database.exec('BEGIN');
    try {
      for (const write of writes) write.apply();
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#database.exec('ROLLBACK');
      throw error;
    }
  }
}
