import { deepEqual, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { SqliteDatabase } from './sqlite-database.ts';

test('says that the disk is full, keeps nothing of the transaction, and goes on when there is room', async () => {
  const database = new SqliteDatabase(':memory:');
  await database.migrate('CREATE TABLE t (data BLOB NOT NULL)');
  await database.query('PRAGMA max_page_count = 8');
  const insert = (bytes: number) => ({ sql: 'INSERT INTO t VALUES (?)', values: [new Uint8Array(bytes)] });
  await rejects(database.write([insert(10), insert(1_000_000)]), /full/);
  await database.query('PRAGMA max_page_count = 1000');
  await database.write([insert(20)]);
  deepEqual(
    (await database.query('SELECT length(data) AS bytes FROM t')).map(({ bytes }) => bytes),
    [20],
  );
  await database.close();
});
