import type { ClickHouseClient } from '@clickhouse/client';
import type { LedgerRow, ReadingFilter, ReadingRow, TelemetryQueries } from '../../domain/telemetry.ts';

/** {@link TelemetryQueries} on ClickHouse. */
export function createTelemetryQueries(client: ClickHouseClient): TelemetryQueries {
  const rowsOf = async <T>(query: string, query_params: Record<string, unknown>): Promise<readonly T[]> => {
    const result = await client.query({ query, query_params, format: 'JSONEachRow' });
    return result.json<T>();
  };
  return {
    readings: async (filter) => (await rowsOf<RawReading>(READINGS, readingParams(filter))).map(toReading),
    lastReadings: async (endpoint) => (await rowsOf<RawReading>(LAST_READINGS, { endpoint })).map(toReading),
    lastReadingTimes: async (endpoints) => {
      if (endpoints.length === 0) return new Map();
      const rows = await rowsOf<{ endpoint: string; at: string }>(LAST_TIMES, { endpoints });
      return new Map(rows.map(({ endpoint, at }) => [endpoint, Number(at)]));
    },
    devices: async (filter) => {
      const params = { after: filter.after, limit: filter.limit, kind: filter.kind, search: filter.search };
      const rows = await rowsOf<{ endpoint: string; device_kind: string; at: string }>(DEVICES, params);
      const [total] = await rowsOf<{ total: string | number }>(DEVICE_TOTAL, params);
      const devices = rows.map((row) => ({
        endpoint: row.endpoint,
        kind: row.device_kind,
        lastReadingAtMs: Number(row.at),
      }));
      return { devices, total: Number(total?.total ?? 0) };
    },
    ledger: () => ledger(client),
  };
}

interface RawReading {
  readonly at_ms: string | number;
  readonly sequence: string | number;
  readonly metric: string;
  readonly value: number;
  readonly stakeholder: string;
}

const deviceRows = (condition: string): string => `
  SELECT toUnixTimestamp64Milli(at) AS at_ms, sequence, metric, value, stakeholder
  FROM (SELECT * FROM records FINAL WHERE endpoint = {endpoint:String} AND ${condition})
  ARRAY JOIN metrics AS metric, values AS value`;

const IN_SPAN =
  'at >= fromUnixTimestamp64Milli({from:Int64}) AND at < fromUnixTimestamp64Milli({until:Int64})';

/**
 * Newest by sequence number: a metric that is in none of so many records is not what the device measures now.
 */
const AMONG_THE_NEWEST =
  'sequence + 1000 > (SELECT max(sequence) FROM records WHERE endpoint = {endpoint:String})';

/**
 * All values, or per metric and slice of its rows the smallest and the largest: a chart of the thinned values
 * has the same outline (the min-max half of M4).
 */
const READINGS = `
  WITH rows AS
  (
      SELECT *, row_number() OVER (PARTITION BY metric ORDER BY at_ms, sequence) - 1 AS rank,
             count() OVER () AS all_rows, uniqExact(metric) OVER () AS metric_count
      FROM (${deviceRows(IN_SPAN)} WHERE {metric:String} = '' OR metric = {metric:String})
  )
  SELECT at_ms, sequence, metric, value, stakeholder FROM
  (
      SELECT *, greatest(1, ceil(2 * all_rows / greatest(1, {max_points:Int32} - 2 * metric_count))) AS slice,
             row_number() OVER (PARTITION BY metric, intDiv(rank, slice) ORDER BY value, rank) AS from_low,
             row_number() OVER (PARTITION BY metric, intDiv(rank, slice)
                                ORDER BY value DESC, rank DESC) AS from_high
      FROM rows
  )
  WHERE all_rows <= {max_points:UInt32} OR from_low = 1 OR from_high = 1
  ORDER BY at_ms, sequence, metric
  LIMIT {max_points:UInt32}`;

const LAST_READINGS = `
  SELECT at_ms, sequence, metric, value, stakeholder
  FROM (${deviceRows(AMONG_THE_NEWEST)})
  ORDER BY metric, at_ms DESC, sequence DESC
  LIMIT 1 BY metric`;

const LAST_TIMES = `
  SELECT endpoint, toUnixTimestamp64Milli(max(at)) AS at
  FROM records
  WHERE endpoint IN {endpoints:Array(String)}
  GROUP BY endpoint`;

const DEVICE_CONDITION = `({kind:String} = '' OR kind = {kind:String})
    AND position(endpoint, {search:String}) > 0`;

const DEVICES = `
  SELECT endpoint, any(kind) AS device_kind, toUnixTimestamp64Milli(max(at)) AS at
  FROM records
  WHERE endpoint > {after:String} AND ${DEVICE_CONDITION}
  GROUP BY endpoint
  ORDER BY endpoint
  LIMIT {limit:UInt32}`;

const DEVICE_TOTAL = `SELECT uniqExact(endpoint) AS total FROM records WHERE ${DEVICE_CONDITION}`;

/** The whole span of DateTime64(3), where a request leaves an end open. */
const EARLIEST_MS = Date.UTC(1970, 0, 1);
const LATEST_MS = Date.UTC(2299, 11, 31, 23, 59, 59);

function readingParams({
  endpoint,
  metric,
  fromMs,
  untilMs,
  maxPoints,
}: ReadingFilter): Record<string, unknown> {
  return {
    endpoint,
    metric,
    from: fromMs ?? EARLIEST_MS,
    until: untilMs ?? LATEST_MS,
    max_points: maxPoints,
  };
}

function toReading({ at_ms, sequence, metric, value, stakeholder }: RawReading): ReadingRow {
  return { atMs: Number(at_ms), sequence: Number(sequence), metric, value, stakeholder };
}

interface RawLedger {
  readonly endpoint: string;
  readonly stakeholder: string;
  readonly first_sequence: string | number;
  readonly last_sequence: string | number;
  readonly stored: string | number;
  readonly duplicated: string | number;
}

async function* ledger(client: ClickHouseClient): AsyncIterable<LedgerRow> {
  const result = await client.query({
    query: 'SELECT * FROM ledger ORDER BY endpoint, stakeholder',
    format: 'JSONEachRow',
  });
  for await (const rows of result.stream<RawLedger>()) {
    for (const row of rows) {
      const raw = row.json();
      yield {
        endpoint: raw.endpoint,
        stakeholder: raw.stakeholder,
        firstSequence: Number(raw.first_sequence),
        lastSequence: Number(raw.last_sequence),
        stored: Number(raw.stored),
        duplicated: Number(raw.duplicated),
      };
    }
  }
}
