import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { common, fleet, management, provisioning, simulation } from '@sefleet/api';
import type { EventLog } from '@sefleet/observability';
import type { Clock } from '@sefleet/runtime';
import { DEVICE_KINDS } from '../../domain/device-kinds.ts';
import type { TelemetryState } from '../../domain/telemetry.ts';
import type { Dependencies, Dependency } from './dependencies.ts';

export type FleetStateInit = MessageInitShape<typeof fleet.FleetStateSchema>;

/** Snapshots younger than this are given to whoever asks next: a hundred dashboards ask the services once. */
const MAX_AGE_MS = 200;

/** The state of the fleet, put together from the services that answer. */
export class FleetStateReader {
  readonly #dependencies: Dependencies;
  readonly #telemetry: TelemetryState;
  readonly #clock: Clock;
  readonly #log: EventLog;
  #latest: Promise<FleetStateInit> | undefined;
  #latestAtMs = Number.NEGATIVE_INFINITY;

  constructor(dependencies: Dependencies, telemetry: TelemetryState, clock: Clock, log: EventLog) {
    this.#dependencies = dependencies;
    this.#telemetry = telemetry;
    this.#clock = clock;
    this.#log = log;
  }

  /** Never fails for a service that is down: it is listed in `unavailable`. */
  read(): Promise<FleetStateInit> {
    const now = this.#clock.monotonicMs();
    if (this.#latest === undefined || now - this.#latestAtMs > MAX_AGE_MS) {
      this.#latestAtMs = now;
      this.#latest = this.#compose();
    }
    return this.#latest;
  }

  async #compose(): Promise<FleetStateInit> {
    const unavailable: string[] = [];
    const { lwm2m, rotation, simulation: simulated } = this.#dependencies;
    const [statistics, keys, fleetOfSimulator] = await Promise.all([
      answered(
        lwm2m,
        unavailable,
        lwm2m.ask((client, options) => client.getStatistics({}, options)),
      ),
      answered(
        rotation,
        unavailable,
        rotation.ask((client, options) => client.getKeyStatistics({}, options)),
      ),
      simulated.configured
        ? answered(
            simulated,
            unavailable,
            simulated.ask((client, options) => client.getFleet({}, options)),
          )
        : undefined,
    ]);
    const { ingest, mqttClients, mqttRefused, queuedBytes } = this.#telemetry.statistics();
    const counters = [
      ...named('lwm2m', statistics?.counters ?? []),
      ...named('simulation', simulatorCounters(fleetOfSimulator?.progress)),
      ...named(
        'analytics',
        [...this.#log.counters()].map(([name, value]) => ({ name, value: BigInt(value) })),
      ),
      { name: 'analytics.mqtt.clients', value: BigInt(mqttClients) },
      { name: 'analytics.mqtt.refused', value: BigInt(mqttRefused) },
      { name: 'analytics.queue.bytes', value: BigInt(queuedBytes) },
    ];
    const last = keys?.latestRotation;
    return {
      asOf: timestampFromMs(this.#clock.wallMs()),
      kinds: DEVICE_KINDS.map((kind) => kindState(kind, statistics, keys, fleetOfSimulator?.progress)),
      telemetry: {
        received: BigInt(ingest.messagesReceived),
        stored: BigInt(ingest.stored),
        duplicates: BigInt(ingest.duplicates),
        rejected: BigInt(ingest.rejected),
        rowsPerSecond: ingest.rowsPerSecond,
      },
      counters,
      ...(last === undefined ? {} : { latestRotation: last }),
      unavailable,
    };
  }
}

async function answered<C, T>(
  dependency: Dependency<C>,
  unavailable: string[],
  asked: Promise<T>,
): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    unavailable.push(`${dependency.name}: ${error instanceof Error ? error.message : 'unknown reason'}`);
    return undefined;
  }
}

function kindState(
  kind: common.DeviceKind,
  statistics: management.GetStatisticsResponse | undefined,
  keys: provisioning.GetKeyStatisticsResponse | undefined,
  progress: simulation.FleetProgress | undefined,
): MessageInitShape<typeof fleet.KindStateSchema> {
  const managed = statistics?.kinds.find((candidate) => candidate.kind === kind);
  const keyCount = keys?.kinds.find((candidate) => candidate.kind === kind);
  const simulated = progress?.kinds.find((candidate) => candidate.kind === kind);
  const registered = managed?.registered ?? simulated?.registered ?? 0n;
  const bootstrapped = managed?.bootstrapped ?? simulated?.bootstrapped ?? 0n;
  // The factory knows every device; without it, whoever knows the most.
  const known = [registered, bootstrapped, simulated?.total ?? 0n];
  const total = keyCount?.manufactured ?? known.reduce((most, count) => (count > most ? count : most), 0n);
  return {
    kind,
    total,
    bootstrapped,
    registered,
    sleeping: managed?.sleeping ?? 0n,
    keysRotated: keyCount?.rotated ?? 0n,
  };
}

type CounterInit = { readonly name: string; readonly value: bigint };

function named(prefix: string, counters: readonly CounterInit[]): CounterInit[] {
  return counters.map(({ name, value }) => ({ name: `${prefix}.${name}`, value }));
}

function simulatorCounters(progress: simulation.FleetProgress | undefined): readonly CounterInit[] {
  if (progress === undefined) return [];
  return [
    { name: 'records.sealed', value: progress.recordsSealed },
    { name: 'records.acknowledged', value: progress.recordsAcknowledged },
    { name: 'records.waiting', value: progress.recordsWaiting },
    { name: 'mqtt.connected', value: progress.mqttConnected },
    { name: 'dtls.handshakes', value: progress.dtlsHandshakes },
    ...progress.errors.map(({ name, value }) => ({ name: `error.${name}`, value })),
  ];
}
