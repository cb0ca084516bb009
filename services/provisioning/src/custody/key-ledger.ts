import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Clock } from '@sefleet/runtime';
import type { KeyEvent, KeyState } from '../domain/key-life-cycle.ts';
import { inTransaction } from './open-ledger.ts';
import type { KeyPurpose, KeyRecord } from './key-custody.ts';

/** The schema of a vault file. */
export const VAULT_MIGRATIONS: readonly string[] = [
  `CREATE TABLE keys (purpose TEXT NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL, created_at INTEGER NOT NULL,
     fingerprint TEXT NOT NULL, sealed BLOB, PRIMARY KEY (purpose, version)) STRICT;
   CREATE TABLE key_events (purpose TEXT NOT NULL, version INTEGER NOT NULL, at INTEGER NOT NULL, from_state TEXT,
     to_state TEXT NOT NULL, reason TEXT NOT NULL) STRICT;
   CREATE TABLE secrets (name TEXT PRIMARY KEY, sealed BLOB NOT NULL) STRICT;`,
  `ALTER TABLE keys ADD COLUMN expires_at INTEGER;`,
];

/**
 * What a vault remembers of its keys: states, dates, history, and whatever sealed bytes their engine wants
 * kept. One SQLite file a party.
 */
export class KeyLedger {
  readonly #database: DatabaseSync;
  readonly #clock: Clock;
  readonly #find: StatementSync;
  readonly #keep: StatementSync;
  readonly #read: StatementSync;
  readonly #drop: StatementSync;
  /** Secrets that wait for their commit; undefined for one that goes. */
  #changed = new Map<string, Uint8Array | undefined>();
  #lasting = Promise.withResolvers<void>();

  constructor(database: DatabaseSync, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
    this.#find = database.prepare('SELECT * FROM keys WHERE purpose = ? AND version = ?');
    this.#keep = database.prepare('INSERT OR REPLACE INTO secrets (name, sealed) VALUES (?, ?)');
    this.#read = database.prepare('SELECT sealed FROM secrets WHERE name = ?');
    this.#drop = database.prepare('DELETE FROM secrets WHERE name = ?');
  }

  now(): number {
    return this.#clock.wallMs();
  }

  find(purpose: KeyPurpose, version: number): KeyRecord | undefined {
    const row = this.#find.get(purpose, version);
    return row === undefined ? undefined : toRecord(row);
  }

  sealed(purpose: KeyPurpose, version: number): Uint8Array | undefined {
    const sealed = this.#find.get(purpose, version)?.['sealed'];
    return sealed instanceof Uint8Array ? sealed : undefined;
  }

  add(record: KeyRecord, sealed: Uint8Array | undefined): void {
    const { purpose, version, state, createdAt, fingerprint, expiresAt } = record;
    inTransaction(this.#database, () => {
      this.#database
        .prepare('INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?)')
        .run(purpose, version, state, createdAt, fingerprint, sealed ?? null, expiresAt ?? null);
      this.#remember(record, undefined, 'initialised', 'made in the vault');
      this.#remember(record, 'initialised', 'active', 'taken into use');
    });
  }

  change(record: KeyRecord, to: KeyState, reason: string): void {
    const wiped = to === 'destroyed' ? ', sealed = NULL' : '';
    inTransaction(this.#database, () => {
      this.#database
        .prepare(`UPDATE keys SET state = ?${wiped} WHERE purpose = ? AND version = ?`)
        .run(to, record.purpose, record.version);
      this.#remember(record, record.state, to, reason);
    });
  }

  list(): readonly KeyRecord[] {
    return this.#database.prepare('SELECT * FROM keys ORDER BY purpose, version').all().map(toRecord);
  }

  history(purpose: KeyPurpose, version: number): readonly KeyEvent[] {
    return this.#database
      .prepare('SELECT * FROM key_events WHERE purpose = ? AND version = ? ORDER BY rowid')
      .all(purpose, version)
      .map((row) => ({
        at: Number(row['at']),
        from: row['from_state'] === null ? undefined : keyState(row['from_state']),
        to: keyState(row['to_state']),
        reason: String(row['reason']),
      }));
  }

  /** Resolves when it is on disk; secrets that are kept or dropped in one turn share a commit. */
  keepSecret(name: string, sealed: Uint8Array): Promise<void> {
    return this.#changeSecret(name, sealed);
  }

  secret(name: string): Uint8Array | undefined {
    // Nobody acts on what a power cut could still take back.
    if (this.#changed.has(name)) this.#commitSecrets();
    const sealed = this.#read.get(name)?.['sealed'];
    return sealed instanceof Uint8Array ? sealed : undefined;
  }

  /** As {@link KeyLedger.keepSecret}. */
  dropSecret(name: string): Promise<void> {
    return this.#changeSecret(name, undefined);
  }

  close(): void {
    this.#commitSecrets();
    this.#database.close();
  }

  #changeSecret(name: string, sealed: Uint8Array | undefined): Promise<void> {
    if (this.#changed.size === 0) setImmediate(() => this.#commitSecrets());
    this.#changed.set(name, sealed);
    return this.#lasting.promise;
  }

  #commitSecrets(): void {
    if (this.#changed.size === 0) return;
    const [changed, lasting] = [this.#changed, this.#lasting];
    this.#changed = new Map();
    this.#lasting = Promise.withResolvers();
    // Whoever changed a secret waits for it, and is told; a reader that came in between is not to blame.
    lasting.promise.catch(() => undefined);
    try {
      inTransaction(this.#database, () => {
        for (const [name, sealed] of changed) {
          if (sealed === undefined) this.#drop.run(name);
          else this.#keep.run(name, sealed);
        }
      });
      lasting.resolve();
    } catch (error) {
      lasting.reject(error);
    }
  }

  #remember({ purpose, version }: KeyRecord, from: KeyState | undefined, to: KeyState, reason: string): void {
    this.#database
      .prepare('INSERT INTO key_events VALUES (?, ?, ?, ?, ?, ?)')
      .run(purpose, version, this.now(), from ?? null, to, reason);
  }
}

function toRecord(row: Readonly<Record<string, unknown>>): KeyRecord {
  return {
    // What this file wrote, it may believe.
    purpose: String(row['purpose']) as KeyPurpose,
    version: Number(row['version']),
    state: keyState(row['state']),
    createdAt: Number(row['created_at']),
    expiresAt: typeof row['expires_at'] === 'number' ? row['expires_at'] : undefined,
    fingerprint: String(row['fingerprint']),
  };
}

function keyState(value: unknown): KeyState {
  // What this file wrote, it may believe.
  return String(value) as KeyState;
}
