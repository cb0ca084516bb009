import type { IngestStatistics } from './ingest.ts';

/** One value of a device at one time. */
export interface ReadingRow {
  readonly atMs: number;
  readonly sequence: number;
  readonly metric: string;
  readonly value: number;
  readonly stakeholder: string;
}

/** What is stored of a device for one stakeholder. */
export interface LedgerRow {
  readonly endpoint: string;
  readonly stakeholder: string;
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly stored: number;
  readonly duplicated: number;
}

/** A device that telemetry knows. */
export interface DeviceRow {
  readonly endpoint: string;
  readonly kind: string;
  readonly lastReadingAtMs: number;
}

export interface ReadingFilter {
  readonly endpoint: string;
  /** Empty: all metrics. */
  readonly metric: string;
  readonly fromMs: number | undefined;
  readonly untilMs: number | undefined;
  /** More values than that are thinned. */
  readonly maxPoints: number;
}

/** The questions that dashboards and the ledger ask. */
export interface TelemetryQueries {
  readings(filter: ReadingFilter): Promise<readonly ReadingRow[]>;
  /** The newest value of every metric of a device. */
  lastReadings(endpoint: string): Promise<readonly ReadingRow[]>;
  /** When each of these devices measured last; devices without readings are left out. */
  lastReadingTimes(endpoints: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** Devices in the order of their names. */
  devices(filter: DeviceFilter): Promise<{ readonly devices: readonly DeviceRow[]; readonly total: number }>;
  ledger(): AsyncIterable<LedgerRow>;
}

export interface DeviceFilter {
  readonly after: string;
  readonly limit: number;
  /** Empty: all kinds. */
  readonly kind: string;
  /** Keeps names that contain this text. */
  readonly search: string;
}

/** What the gRPC services know of telemetry. */
export interface TelemetryState {
  /**
   * The questions that ClickHouse answers; waits a moment while it is being opened.
   *
   * @throws SefleetError `ANALYTICS_STORE_UNAVAILABLE` when it is not open after that.
   */
  queries(): Promise<TelemetryQueries>;
  statistics(): TelemetryStatistics;
}

export interface TelemetryStatistics {
  readonly ingest: IngestStatistics;
  readonly mqttClients: number;
  readonly mqttRefused: number;
  /** Messages on disk that ClickHouse does not have yet. */
  readonly queuedBytes: number;
}
