import type { SqlDatabase, SqlRow, SqlValue, WriteQueue } from '@sefleet/service';
import type { Operation } from '../domain/operations/operation.ts';
import type {
  OpenOperation,
  QueuedOperation,
  QueuedOperationPage,
  QueuedOperationState,
  QueuedOperationStore,
} from '../domain/operations/queued-operation.ts';

/** The table, in the common dialect of SQLite and PostgreSQL. */
export const OPERATION_SCHEMA = `
  CREATE TABLE IF NOT EXISTS queued_operations (
    sequence BIGINT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    endpoint TEXT NOT NULL,
    operation TEXT NOT NULL,
    state TEXT NOT NULL,
    code TEXT NOT NULL,
    senml_json TEXT NOT NULL,
    text TEXT NOT NULL,
    error TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    queued_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    ended_at_ms BIGINT,
    queued_by TEXT NOT NULL
  );
  CREATE INDEX IF NOT EXISTS queued_operations_ended ON queued_operations (ended_at_ms);
`;

const SQL = {
  save: `
    INSERT INTO queued_operations (sequence, id, endpoint, operation, state, code, senml_json, text, error,
      attempts, queued_at_ms, expires_at_ms, ended_at_ms, queued_by)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  update: `
    UPDATE queued_operations SET state = ?, code = ?, senml_json = ?, text = ?, error = ?, attempts = ?,
      ended_at_ms = ? WHERE id = ?`,
  find: 'SELECT * FROM queued_operations WHERE id = ?',
  page: `
    SELECT * FROM queued_operations WHERE sequence > ? AND (endpoint = ? OR ? = '')
      AND (queued_by = ? OR ? = '') AND (ended_at_ms IS NULL OR ? = 0) ORDER BY sequence LIMIT ?`,
  open: `
    SELECT id, endpoint, state, expires_at_ms, length(operation) AS size FROM queued_operations
      WHERE ended_at_ms IS NULL ORDER BY sequence`,
  last: 'SELECT max(sequence) AS last FROM queued_operations',
  prune: `
    DELETE FROM queued_operations WHERE ended_at_ms IS NOT NULL AND sequence NOT IN
      (SELECT sequence FROM queued_operations WHERE ended_at_ms IS NOT NULL
        ORDER BY ended_at_ms DESC, sequence DESC LIMIT ?)`,
} as const;

/** Queued operations in an SQL database. */
export class SqlOperationStore implements QueuedOperationStore {
  readonly #database: SqlDatabase;
  readonly #queue: WriteQueue;

  constructor(database: SqlDatabase, queue: WriteQueue) {
    this.#database = database;
    this.#queue = queue;
  }

  save(operation: QueuedOperation): Promise<void> {
    const { sequence, id, endpoint, queuedAtMs, expiresAtMs, endedAtMs, queuedBy } = operation;
    const values: SqlValue[] = [sequence, id, endpoint, JSON.stringify(operation.operation)];
    values.push(...stateOf(operation), queuedAtMs, expiresAtMs, endedAtMs ?? null, queuedBy);
    return this.#queue.push({ sql: SQL.save, values });
  }

  update(operation: QueuedOperation): Promise<void> {
    const values = [...stateOf(operation), operation.endedAtMs ?? null, operation.id];
    return this.#queue.push({ sql: SQL.update, values });
  }

  async find(id: string): Promise<QueuedOperation | undefined> {
    const [row] = await this.#read(SQL.find, id);
    return row === undefined ? undefined : toQueuedOperation(row);
  }

  async page({
    after,
    limit,
    endpoint,
    queuedBy,
    onlyOpen,
  }: QueuedOperationPage): Promise<readonly QueuedOperation[]> {
    const values = [after, endpoint, endpoint, queuedBy, queuedBy, Number(onlyOpen), limit];
    return (await this.#read(SQL.page, ...values)).map(toQueuedOperation);
  }

  async open(): Promise<readonly OpenOperation[]> {
    return (await this.#read(SQL.open)).map((row) => ({
      id: String(row['id']),
      endpoint: String(row['endpoint']),
      expiresAtMs: Number(row['expires_at_ms']),
      state: row['state'] === 'underWay' ? 'underWay' : 'waiting',
      size: Number(row['size']),
    }));
  }

  async lastSequence(): Promise<number> {
    const [row] = await this.#read(SQL.last);
    return Number(row?.['last'] ?? 0);
  }

  prune(kept: number): void {
    this.#queue.put({ sql: SQL.prune, values: [kept] });
  }

  async #read(sql: string, ...values: SqlValue[]): Promise<readonly SqlRow[]> {
    await this.#queue.flush();
    return this.#database.query(sql, values);
  }
}

function stateOf({ state, code, senmlJson, text, error, attempts }: QueuedOperation): readonly SqlValue[] {
  return [state, code, senmlJson, text, error, attempts];
}

function toQueuedOperation(row: SqlRow): QueuedOperation {
  const ended = row['ended_at_ms'];
  return {
    sequence: Number(row['sequence']),
    id: String(row['id']),
    endpoint: String(row['endpoint']),
    // What the columns hold was written by this module alone.
    operation: JSON.parse(String(row['operation'])) as Operation,
    state: String(row['state']) as QueuedOperationState,
    code: String(row['code']),
    senmlJson: String(row['senml_json']),
    text: String(row['text']),
    error: String(row['error']),
    attempts: Number(row['attempts']),
    queuedAtMs: Number(row['queued_at_ms']),
    expiresAtMs: Number(row['expires_at_ms']),
    endedAtMs: ended === null || ended === undefined ? undefined : Number(ended),
    queuedBy: String(row['queued_by']),
  };
}
