import type { MessageInitShape } from '@bufbuild/protobuf';
import { simulation, type common } from '@sefleet/api';
import { serve, type CallContext, type ServedService } from '@sefleet/service';
import type { Runtime } from '@sefleet/runtime';
import { DEVICE_KINDS } from '../../device-kind.ts';
import { simulationError } from '../../errors.ts';
import type { Fleet } from '../../fleet/fleet.ts';
import type { LatencySummary } from '../../fleet/fleet-metrics.ts';
import type { Simulation } from '../../fleet/simulation.ts';
import { CLEAR_NETWORK } from '../../network/network-conditions.ts';
import { connectivityFromProto } from './connectivity.ts';
import { kindFromProto, kindToProto } from './device-kind.ts';

type Progress = MessageInitShape<typeof simulation.FleetProgressSchema>;

const WATCH_DEFAULT_MS = 1000;
const WATCH_MIN_MS = 100;
const DRAIN_DEFAULT_MS = 60_000;
const LEDGER_PAGE = 1000;

/** What the adapter needs beside the simulation. */
export interface SimulationServicePorts {
  readonly runtime: Runtime;
  readonly simulation: Simulation;
  readonly residentMemoryBytes: () => number;
}

/** sefleet.simulation.v1.SimulationService. */
export function createSimulationService(ports: SimulationServicePorts): ServedService {
  const { simulation: host } = ports;
  const progress = (): Progress => progressOf(ports);
  return serve(simulation.SimulationService, {
    startFleet: async (request) => {
      await host.start({
        kinds: request.kinds.map(({ kind, count, readingIntervalMs }) => {
          const known = kindFromProto(kind);
          if (known === undefined)
            throw simulationError('SIM_PLAN_INVALID', `no kind of device has number ${kind}`);
          return { kind: known, count, readingIntervalMs };
        }),
        seed: request.seed,
        startRate: request.startRate,
        timeCompression: request.timeCompression,
        virtualStartMs: Number(request.virtualStartMs),
        network: request.network ?? CLEAR_NETWORK,
        connectivity: connectivityFromProto(request.connectivity),
      });
      return {};
    },
    getFleet: () => ({ progress: progress() }),
    watchFleet: ({ intervalMs }, context) => watch(ports, intervalMs, context, progress),
    drainFleet: async ({ timeoutMs }) => {
      const drained = await host.drain(timeoutMs === 0 ? DRAIN_DEFAULT_MS : timeoutMs);
      return { drained, progress: progress() };
    },
    stopFleet: async () => {
      await host.stop();
      return { progress: progress() };
    },
    listDeviceLedger: () => ledgerPages(host),
  });
}

/**
 * Snapshots one after the other: the next is made when the reader has taken the last, so that none is old.
 */
async function* watch(
  { runtime }: SimulationServicePorts,
  intervalMs: number,
  { signal }: CallContext,
  progress: () => Progress,
): AsyncGenerator<{ progress: Progress }> {
  const pauseMs = Math.max(WATCH_MIN_MS, intervalMs === 0 ? WATCH_DEFAULT_MS : intervalMs);
  while (!signal.aborted) {
    yield { progress: progress() };
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = runtime.timers.after(pauseMs, resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
    await promise;
    timer.cancel();
  }
}

async function* ledgerPages(
  host: Simulation,
): AsyncGenerator<MessageInitShape<typeof simulation.ListDeviceLedgerResponseSchema>> {
  let devices: { endpoint: string; lastSequence: bigint; acknowledged: bigint }[] = [];
  for (const { endpoint, sealed, acknowledged } of host.ledger()) {
    devices.push({ endpoint, lastSequence: BigInt(sealed), acknowledged: BigInt(acknowledged) });
    if (devices.length === LEDGER_PAGE) {
      yield { devices };
      devices = [];
    }
  }
  if (devices.length > 0) yield { devices };
}

function progressOf({ simulation: host, residentMemoryBytes }: SimulationServicePorts): Progress {
  const residentMemory = BigInt(residentMemoryBytes());
  const { fleet } = host;
  if (fleet === undefined) return { residentMemoryBytes: residentMemory, running: false };
  const { metrics } = fleet;
  const { sealed, acknowledged } = fleet.records();
  return {
    kinds: kindsOf(fleet),
    dtlsHandshakes: BigInt(metrics.handshakes),
    dtlsFailed: BigInt(metrics.handshakesFailed),
    cipherSuites: countersOf(metrics.cipherSuites),
    recordsSealed: BigInt(sealed),
    recordsAcknowledged: BigInt(acknowledged),
    recordsWaiting: BigInt(sealed - acknowledged),
    mqttConnected: BigInt(metrics.mqttConnected),
    bootstrapToRegistered: latencyOf(metrics.bootstrapToRegistered()),
    firstRegisteredMs: metrics.firstRegisteredMs,
    allRegisteredMs: metrics.allRegisteredMs,
    residentMemoryBytes: residentMemory,
    baselineMemoryBytes: BigInt(metrics.baselineMemoryBytes),
    errors: countersOf(metrics.errors),
    running: host.running,
  };
}

function kindsOf(fleet: Fleet): MessageInitShape<typeof simulation.KindProgressSchema>[] {
  return DEVICE_KINDS.map((kind) => {
    const { bootstrapped, registered, failed } = fleet.metrics.counts(kind);
    return {
      kind: kindToProto(kind),
      total: BigInt(fleet.countOf(kind)),
      bootstrapped: BigInt(bootstrapped),
      registered: BigInt(registered),
      failed: BigInt(failed),
    };
  });
}

function countersOf(counters: ReadonlyMap<string, number>): { name: string; value: bigint }[] {
  return [...counters].map(([name, value]) => ({ name, value: BigInt(value) }));
}

function latencyOf({
  count,
  p50Ms,
  p95Ms,
  p99Ms,
  maxMs,
}: LatencySummary): MessageInitShape<typeof common.LatencySummarySchema> {
  return { count: BigInt(count), p50Ms, p95Ms, p99Ms, maxMs };
}
