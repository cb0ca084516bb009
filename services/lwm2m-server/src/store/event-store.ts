import type { SqlDatabase } from '@sefleet/service';
import type { EventSegment, EventStore } from '../domain/events/event-store.ts';

/** The tables, in the common dialect of SQLite and PostgreSQL. */
export const EVENT_SCHEMA = `
  CREATE TABLE IF NOT EXISTS event_journal (name TEXT PRIMARY KEY);
  CREATE TABLE IF NOT EXISTS event_segments (
    first BIGINT PRIMARY KEY,
    count INTEGER NOT NULL,
    events TEXT NOT NULL
  );
`;

const SQL = {
  name: 'SELECT name FROM event_journal LIMIT 1',
  setName: 'INSERT INTO event_journal (name) VALUES (?)',
  last: 'SELECT first, count FROM event_segments ORDER BY first DESC LIMIT 1',
  save: 'INSERT INTO event_segments (first, count, events) VALUES (?, ?, ?)',
  /** Segments do not overlap: the one that holds a place is the last that begins at or before it. */
  holding: 'SELECT * FROM event_segments WHERE first <= ? ORDER BY first DESC LIMIT 1',
  behind: 'SELECT * FROM event_segments WHERE first > ? ORDER BY first LIMIT 1',
  dropBefore: 'DELETE FROM event_segments WHERE first < ?',
} as const;

/** Events in an SQL database, a row for each segment. They gather before they come here. */
export class SqlEventStore implements EventStore {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  async open(fresh: string): Promise<{ readonly name: string; readonly next: number }> {
    const [known] = await this.#database.query(SQL.name);
    if (known === undefined) await this.#database.write([{ sql: SQL.setName, values: [fresh] }]);
    const [last] = await this.#database.query(SQL.last);
    const next = last === undefined ? 0 : Number(last['first']) + Number(last['count']);
    return { name: known === undefined ? fresh : String(known['name']), next };
  }

  save({ first, count, text }: EventSegment): Promise<void> {
    return this.#database.write([{ sql: SQL.save, values: [first, count, text] }]);
  }

  async find(place: number): Promise<EventSegment | undefined> {
    const [holding] = await this.#database.query(SQL.holding, [place]);
    const segment = holding === undefined ? undefined : toSegment(holding);
    if (segment !== undefined && segment.first + segment.count > place) return segment;
    const [behind] = await this.#database.query(SQL.behind, [place]);
    return behind === undefined ? undefined : toSegment(behind);
  }

  dropBefore(place: number): Promise<void> {
    return this.#database.write([{ sql: SQL.dropBefore, values: [place] }]);
  }
}

function toSegment(row: Readonly<Record<string, unknown>>): EventSegment {
  return { first: Number(row['first']), count: Number(row['count']), text: String(row['events']) };
}
