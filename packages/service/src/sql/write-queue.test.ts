import { deepEqual, equal, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SqlDatabase, SqlStatement } from './sql-database.ts';
import { SqliteDatabase } from './sqlite-database.ts';
import { everyTurn, WriteQueue } from './write-queue.ts';

const insert = (id: number): SqlStatement => ({ sql: 'INSERT INTO t VALUES (?)', values: [id] });

async function table(): Promise<SqliteDatabase> {
  const database = new SqliteDatabase(':memory:');
  await database.migrate('CREATE TABLE t (id INTEGER PRIMARY KEY)');
  return database;
}

describe('the write queue', () => {
  it('lets a refused change fail alone, with all of its statements', async () => {
    const database = await table();
    const failures: unknown[] = [];
    const queue = new WriteQueue(database, everyTurn, (error) => failures.push(error));
    const writes = [insert(1), [insert(2), insert(1)], insert(3)].map((change) => queue.push(change));
    await rejects(writes[1] ?? Promise.resolve(), /UNIQUE/);
    await queue.flush();
    deepEqual(
      (await database.query('SELECT id FROM t ORDER BY id')).map(({ id }) => id),
      [1, 3],
    );
    equal(failures.length, 1);
  });

  it('keeps only the last of several changes with one key', async () => {
    const database = await table();
    const queue = new WriteQueue(database, everyTurn);
    queue.put(insert(1), 'k');
    await queue.push(insert(2), 'k');
    equal((await database.query('SELECT id FROM t')).length, 1);
  });

  it('does not try every change by itself when the database is down', async () => {
    let tries = 0;
    const down: SqlDatabase = {
      dialect: 'postgres',
      migrate: () => Promise.resolve(),
      query: () => Promise.resolve([]),
      write: () => {
        tries++;
        return Promise.reject(new RangeError('connection refused'));
      },
      close: () => Promise.resolve(),
    };
    const queue = new WriteQueue(down, everyTurn);
    const writes = Array.from({ length: 100 }, (_, i) => queue.push(insert(i)));
    const outcomes = await Promise.allSettled(writes);
    equal(outcomes.filter(({ status }) => status === 'rejected').length, 100);
    equal(tries, 4);
  });
});
