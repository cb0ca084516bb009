import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { decodeRecordBatch, parseRecordTopic } from '@sefleet/cose';
import { isSefleetError } from '@sefleet/errors';
import type { Clock, Timers } from '@sefleet/runtime';
import type { RecordPublisher } from '../../domain/record-forwarder.ts';
import { gathering, SqliteDatabase, WriteQueue, type SqlRow } from '@sefleet/service';

/** One record that came in. */
export interface InboxRecord {
  readonly position: number;
  readonly endpoint: string;
  readonly sealed: Uint8Array;
  readonly receivedAt: number;
}

/** Records read at a time. */
const PAGE = 1000;
const DIGEST_BYTES = 16;
const SCHEMA = `CREATE TABLE IF NOT EXISTS record (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  digest BLOB NOT NULL UNIQUE,
  endpoint TEXT NOT NULL,
  sealed BLOB NOT NULL,
  received_at INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS record_endpoint ON record (endpoint, position)`;
const INSERT = 'INSERT OR IGNORE INTO record (digest, endpoint, sealed, received_at) VALUES (?, ?, ?, ?)';
const ALL = 'SELECT * FROM record WHERE position > ? ORDER BY position LIMIT ?';
const OF_ENDPOINT = 'SELECT * FROM record WHERE endpoint = ? AND position > ? ORDER BY position LIMIT ?';

/**
 * Where a server keeps the records that its devices send, when its owner has no broker: a SQLite file. A
 * device is answered when its records are on disk, and one that sends them again changes nothing: a record
 * is its bytes, and a card never makes the same ones twice.
 */
export class RecordInbox implements RecordPublisher {
  readonly ready = true;
  readonly #database: SqliteDatabase;
  readonly #queue: WriteQueue;
  readonly #clock: Clock;

  private constructor(database: SqliteDatabase, queue: WriteQueue, clock: Clock) {
    this.#database = database;
    this.#queue = queue;
    this.#clock = clock;
  }

  /** @param onFailure told when a transaction failed; the devices are told to come back, too */
  static async open(
    folder: string,
    { clock, timers }: { readonly clock: Clock; readonly timers: Timers },
    onFailure: (error: unknown) => void,
  ): Promise<RecordInbox> {
    const database = new SqliteDatabase(join(folder, 'records.sqlite'));
    await database.migrate(SCHEMA);
    return new RecordInbox(database, new WriteQueue(database, gathering(timers), onFailure), clock);
  }

  async publish(topic: string, payload: Uint8Array): Promise<boolean> {
    const { endpoint } = parseRecordTopic(topic);
    const now = this.#clock.wallMs();
    try {
      const writes = recordsOf(payload).map((sealed) =>
        this.#queue.push({
          sql: INSERT,
          values: [digestOf(endpoint, sealed), endpoint, sealed.slice(), now],
        }),
      );
      await Promise.all(writes);
      return true;
    } catch {
      // The queue has told of the failure; the device comes back with its records.
      return false;
    }
  }

  /** Records after a position, of one device or of all, a page at a time. */
  async *read(endpoint: string | undefined, after: number): AsyncGenerator<readonly InboxRecord[]> {
    await this.#queue.flush();
    for (let position = after; ;) {
      const rows =
        endpoint === undefined
          ? await this.#database.query(ALL, [position, PAGE])
          : await this.#database.query(OF_ENDPOINT, [endpoint, position, PAGE]);
      if (rows.length > 0) yield rows.map(toRecord);
      if (rows.length < PAGE) return;
      position = Number(rows.at(-1)?.['position']);
    }
  }

  async close(): Promise<void> {
    await this.#queue.flush();
    await this.#database.close();
  }
}

/** What is no batch of records is kept as it came: whether it means anything is for its owner to say. */
function recordsOf(payload: Uint8Array): readonly Uint8Array[] {
  try {
    return decodeRecordBatch(payload);
  } catch (error) {
    if (isSefleetError(error) && error.fault === 'peer') return [payload];
    throw error;
  }
}

function digestOf(endpoint: string, sealed: Uint8Array): Uint8Array {
  return createHash('sha256').update(endpoint).update('\0').update(sealed).digest().subarray(0, DIGEST_BYTES);
}

function toRecord(row: SqlRow): InboxRecord {
  const { position, endpoint, sealed, received_at: receivedAt } = row;
  return {
    position: Number(position),
    endpoint: String(endpoint),
    sealed: sealed instanceof Uint8Array ? sealed : new Uint8Array(),
    receivedAt: Number(receivedAt),
  };
}
