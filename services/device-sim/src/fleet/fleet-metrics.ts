import { build, type Histogram } from 'hdr-histogram-js';
import type { DtlsEvents } from '@sefleet/dtls';
import type { DeviceKind } from '../device-kind.ts';
import type { StreamEvents } from '../device/transport/stream-connection.ts';

/** Durations are recorded in tenths of a millisecond, up to ten minutes, to three digits. */
const TENTHS_PER_MS = 10;
const LONGEST_MS = 600_000;

/** Percentiles of a duration, in milliseconds. */
export interface LatencySummary {
  readonly count: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Names of devices, counted by kind as they come and go: progress is asked for often, of large fleets. */
class KindCounter {
  readonly #kinds: ReadonlyMap<string, DeviceKind>;
  readonly #endpoints = new Set<string>();
  readonly #counts = new Map<DeviceKind | undefined, number>();

  constructor(kinds: ReadonlyMap<string, DeviceKind>) {
    this.#kinds = kinds;
  }

  get size(): number {
    return this.#endpoints.size;
  }

  of(kind: DeviceKind): number {
    return this.#counts.get(kind) ?? 0;
  }

  add(endpoint: string): void {
    if (this.#endpoints.has(endpoint)) return;
    this.#endpoints.add(endpoint);
    this.#count(endpoint, 1);
  }

  delete(endpoint: string): void {
    if (this.#endpoints.delete(endpoint)) this.#count(endpoint, -1);
  }

  #count(endpoint: string, change: number): void {
    const kind = this.#kinds.get(endpoint);
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + change);
  }
}

/** Counts of one fleet from its start, kept where the events arrive. */
export class FleetMetrics {
  readonly baselineMemoryBytes: number;
  readonly #startedMs: number;
  readonly #nowMs: () => number;
  readonly #kinds = new Map<string, DeviceKind>();
  readonly #switchedOnMs = new Map<string, number>();
  readonly #bootstrapped = new KindCounter(this.#kinds);
  readonly #registered = new KindCounter(this.#kinds);
  readonly #failed = new KindCounter(this.#kinds);
  readonly #suites = new Map<string, number>();
  readonly #errors = new Map<string, number>();
  readonly #latency: Histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: LONGEST_MS * TENTHS_PER_MS,
    numberOfSignificantValueDigits: 3,
  });
  handshakes = 0;
  handshakesFailed = 0;
  mqttConnected = 0;
  firstRegisteredMs = 0;
  allRegisteredMs = 0;

  constructor(nowMs: () => number, baselineMemoryBytes: number) {
    this.#nowMs = nowMs;
    this.#startedMs = nowMs();
    this.baselineMemoryBytes = baselineMemoryBytes;
  }

  /** Handshakes of all devices. */
  get dtlsEvents(): DtlsEvents {
    return {
      sessionEstablished: (_peer, { cipherSuite }) => {
        this.handshakes++;
        this.#suites.set(cipherSuite, (this.#suites.get(cipherSuite) ?? 0) + 1);
      },
      handshakeFailed: ({ reason }) => {
        this.handshakesFailed++;
        this.count(`dtls.failed.${reason}`);
      },
    };
  }

  /** Connections of all devices over TCP. */
  get streamEvents(): StreamEvents {
    return {
      secured: () => {
        this.handshakes++;
        this.#suites.set('TLS', (this.#suites.get('TLS') ?? 0) + 1);
      },
      failed: (secured) => {
        if (secured) this.handshakesFailed++;
        this.count(secured ? 'tls.failed' : 'tcp.failed');
      },
    };
  }

  get cipherSuites(): ReadonlyMap<string, number> {
    return this.#suites;
  }

  get errors(): ReadonlyMap<string, number> {
    return this.#errors;
  }

  count(name: string): void {
    this.#errors.set(name, (this.#errors.get(name) ?? 0) + 1);
  }

  deviceSwitchedOn(endpoint: string, kind: DeviceKind, bootstrapped: boolean): void {
    this.#kinds.set(endpoint, kind);
    this.#switchedOnMs.set(endpoint, this.#nowMs());
    if (bootstrapped) this.#bootstrapped.add(endpoint);
  }

  deviceBootstrapped(endpoint: string): void {
    this.#bootstrapped.add(endpoint);
  }

  /** @returns true when every one of `total` devices is registered for the first time */
  deviceRegistered(endpoint: string, total: number): boolean {
    this.#registered.add(endpoint);
    this.#failed.delete(endpoint);
    const sinceStartMs = this.#nowMs() - this.#startedMs;
    const switchedOnMs = this.#switchedOnMs.get(endpoint);
    if (switchedOnMs !== undefined) {
      this.#switchedOnMs.delete(endpoint);
      const tookMs = Math.min(LONGEST_MS, this.#nowMs() - switchedOnMs);
      this.#latency.recordValue(Math.round(tookMs * TENTHS_PER_MS));
    }
    if (this.firstRegisteredMs === 0) this.firstRegisteredMs = sinceStartMs;
    if (this.#registered.size < total || this.allRegisteredMs !== 0) return false;
    this.allRegisteredMs = sinceStartMs;
    return true;
  }

  deviceUnregistered(endpoint: string): void {
    this.#registered.delete(endpoint);
  }

  deviceFailed(endpoint: string, kind: DeviceKind): void {
    this.#kinds.set(endpoint, kind);
    this.#failed.add(endpoint);
    this.#registered.delete(endpoint);
  }

  /** Devices of a kind that have been configured, are registered now, and could not be. */
  counts(kind: DeviceKind): {
    readonly bootstrapped: number;
    readonly registered: number;
    readonly failed: number;
  } {
    return {
      bootstrapped: this.#bootstrapped.of(kind),
      registered: this.#registered.of(kind),
      failed: this.#failed.of(kind),
    };
  }

  /** From switching a device on to its first registration, bootstrap included. */
  bootstrapToRegistered(): LatencySummary {
    const at = (percentile: number): number => this.#latency.getValueAtPercentile(percentile) / TENTHS_PER_MS;
    const count = this.#latency.totalCount;
    if (count === 0) return { count, p50Ms: 0, p95Ms: 0, p99Ms: 0, maxMs: 0 };
    return {
      count,
      p50Ms: at(50),
      p95Ms: at(95),
      p99Ms: at(99),
      maxMs: this.#latency.maxValue / TENTHS_PER_MS,
    };
  }
}
