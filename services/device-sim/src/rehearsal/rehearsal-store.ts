import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { z } from 'zod';
import { DEVICE_KINDS, type DeviceKind } from '../device-kind.ts';

/** How a rehearsal is laid out. */
export interface RehearsalPlan {
  readonly seed: string;
  readonly kind: DeviceKind;
  readonly meters: number;
  readonly startMs: number;
  readonly intervalMs: number;
  readonly cutOverAtMs: number;
  /** Per cent of the meters, by fault. */
  readonly faults: ReadonlyMap<string, number>;
}

/**
 * A trigger copies what devices seal in the transaction that makes it last: what is sealed is in the copy,
 * and nothing else is.
 */
const SCHEMA = `
CREATE TABLE IF NOT EXISTS rehearsal (id INTEGER PRIMARY KEY CHECK (id = 1), plan TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS rehearsal_time (
  id INTEGER PRIMARY KEY CHECK (id = 1), now INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS sealed_record (
  id INTEGER NOT NULL, position INTEGER NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (id, position)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS keep_sealed AFTER INSERT ON outbox BEGIN
  INSERT INTO sealed_record VALUES (new.id, new.position, new.sealed);
END;
CREATE TABLE IF NOT EXISTS exchange (
  number INTEGER PRIMARY KEY, id INTEGER NOT NULL, digest BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS exchange_of ON exchange (id, number);
`;
const planSchema = z.object({
  seed: z.string(),
  kind: z.enum(DEVICE_KINDS),
  meters: z.number(),
  startMs: z.number(),
  intervalMs: z.number(),
  cutOverAtMs: z.number(),
  faults: z.array(z.tuple([z.string(), z.number()])).transform((entries) => new Map(entries)),
});

/** What a rehearsal keeps in the fleet's database, beside the fleet. */
export class RehearsalStore {
  readonly #database: DatabaseSync;
  readonly #addExchange: StatementSync;
  #added: { readonly id: number; readonly digest: Uint8Array }[] = [];
  #lasting: Promise<void> | undefined;

  /** @param path of the fleet's database, which exists */
  constructor(path: string) {
    this.#database = new DatabaseSync(path);
    this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 2000');
    this.#database.exec(SCHEMA);
    this.#addExchange = this.#database.prepare('INSERT INTO exchange (id, digest) VALUES (?, ?)');
  }

  /** The rehearsal of this folder; undefined before the first. */
  plan(): RehearsalPlan | undefined {
    const row = this.#database.prepare('SELECT plan FROM rehearsal').get();
    return row === undefined ? undefined : planSchema.parse(JSON.parse(String(row['plan'])));
  }

  putPlan(plan: RehearsalPlan): void {
    const text = JSON.stringify({ ...plan, faults: [...plan.faults] });
    this.#database.prepare('INSERT OR REPLACE INTO rehearsal VALUES (1, ?)').run(text);
  }

  /** How far time had come when it was last told. */
  nowMs(): number | undefined {
    const row = this.#database.prepare('SELECT now FROM rehearsal_time').get();
    return row === undefined ? undefined : Number(row['now']);
  }

  putNow(nowMs: number): void {
    this.#database.prepare('INSERT OR REPLACE INTO rehearsal_time VALUES (1, ?)').run(Math.round(nowMs));
  }

  /** Keeps what a card saw; nobody hears of its answers before {@link RehearsalStore.lasting}. */
  addExchanges(id: number, digests: readonly Uint8Array[]): void {
    for (const digest of digests) this.#added.push({ id, digest });
    // Also when nobody waits for it, since the answer was lost.
    this.lasting().catch(() => undefined);
  }

  /** Resolves when what was added is on disk; what is added in one turn shares a commit. */
  lasting(): Promise<void> {
    this.#lasting ??= new Promise((resolve, reject) => {
      setImmediate(() => {
        this.#lasting = undefined;
        try {
          this.#commit();
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
    return this.#lasting;
  }

  exchanges(id: number): readonly Uint8Array[] {
    this.#commit();
    return this.#blobs('SELECT digest AS value FROM exchange WHERE id = ? ORDER BY number', id);
  }

  /** Everything that a device has sealed, in order. */
  records(id: number): readonly Uint8Array[] {
    return this.#blobs('SELECT sealed AS value FROM sealed_record WHERE id = ? ORDER BY position', id);
  }

  close(): void {
    this.#commit();
    this.#database.close();
  }

  #commit(): void {
    if (this.#added.length === 0) return;
    const added = this.#added;
    this.#added = [];
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      for (const { id, digest } of added) this.#addExchange.run(id, digest);
      this.#database.exec('COMMIT');
    } catch (error) {
      // A full disk has rolled back by itself.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  #blobs(sql: string, id: number): readonly Uint8Array[] {
    return this.#database
      .prepare(sql)
      .all(id)
      .flatMap(({ value }) => (value instanceof Uint8Array ? [value] : []));
  }
}
