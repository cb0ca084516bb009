import type { ClickHouseClient } from '@clickhouse/client';
import type { Clock } from '@sefleet/runtime';
import type { DeadLetter, RecordStore, StoredRange, StoredRecord } from '../../domain/ports.ts';

/**
 * Longest part of a refused payload that is kept: a batch of refused records would otherwise be kept many
 * times.
 */
const MAX_LETTER_BYTES = 65_536;

/** The {@link RecordStore} on ClickHouse. */
export function createRecordStore(client: ClickHouseClient, clock: Clock): RecordStore {
  return {
    insert: async (records, token) => {
      const receivedAt = clock.wallMs();
      await client.insert({
        table: 'records',
        columns: RECORD_COLUMNS,
        values: records.map((record) => rowOf(record, receivedAt)),
        format: 'JSONCompactEachRow',
        clickhouse_settings: { insert_deduplication_token: token },
      });
    },
    insertDeadLetters: async (letters, token) => {
      const receivedAt = clock.wallMs();
      await client.insert({
        table: 'dead_letters',
        columns: ['received_at', 'topic', 'reason', 'payload'],
        values: letters.map((letter) => letterRowOf(letter, receivedAt)),
        format: 'JSONCompactEachRow',
        clickhouse_settings: { insert_deduplication_token: token },
      });
    },
    storedRanges: () => storedRanges(client),
  };
}

/** Dead letters so far. */
export async function countDeadLetters(client: ClickHouseClient): Promise<number> {
  const result = await client.query({
    query: 'SELECT count() AS total FROM dead_letters',
    format: 'JSONEachRow',
  });
  const [row] = await result.json<{ readonly total: string | number }>();
  return Number(row?.total ?? 0);
}

const RECORD_COLUMNS: [string, ...string[]] = [
  'received_at',
  'at',
  'stakeholder',
  'key_version',
  'kind',
  'endpoint',
  'sequence',
  'metrics',
  'values',
];

/** Times are numbers: ClickHouse takes them as thousandths of a second, whatever their size. */
function rowOf(record: StoredRecord, receivedAt: number): readonly unknown[] {
  return [
    receivedAt,
    record.timestampMs,
    record.stakeholder,
    record.keyVersion,
    record.kind,
    record.endpoint,
    record.sequence,
    record.metrics,
    record.values,
  ];
}

function letterRowOf({ topic, reason, payload }: DeadLetter, receivedAt: number): readonly unknown[] {
  return [receivedAt, topic, reason, Buffer.from(payload.subarray(0, MAX_LETTER_BYTES)).toString('base64')];
}

/** Runs of sequence numbers without a gap: within one, the number minus its rank stays the same. */
const STORED_RANGES = `
  SELECT stakeholder, endpoint, min(sequence) AS first, max(sequence) AS last
  FROM
  (
      SELECT stakeholder, endpoint, sequence,
             sequence - row_number() OVER (PARTITION BY stakeholder, endpoint ORDER BY sequence) AS run
      FROM (SELECT DISTINCT stakeholder, endpoint, sequence FROM records)
  )
  GROUP BY stakeholder, endpoint, run
  ORDER BY stakeholder, endpoint, first`;

interface RangeRow {
  readonly stakeholder: string;
  readonly endpoint: string;
  readonly first: string | number;
  readonly last: string | number;
}

async function* storedRanges(client: ClickHouseClient): AsyncIterable<StoredRange> {
  const result = await client.query({ query: STORED_RANGES, format: 'JSONEachRow' });
  for await (const rows of result.stream<RangeRow>()) {
    for (const row of rows) {
      const { stakeholder, endpoint, first, last } = row.json();
      yield { stakeholder, endpoint, first: Number(first), last: Number(last) };
    }
  }
}
