import { endpointName, KIND_FACTS, type DeviceKind } from '../device-kind.ts';
import { simulationError } from '../errors.ts';
import type { FleetPlan } from '../store/fleet-store.ts';

/** One process: beyond it the fleet is to be split among several. */
const MAX_DEVICES = 100_000;
const MAX_TIME_COMPRESSION = 100_000;
const MIN_INTERVAL_MS = 100;

/** One device of a plan. */
export interface PlannedDevice {
  readonly endpoint: string;
  readonly kind: DeviceKind;
  /** From 1, among the devices of its kind. */
  readonly number: number;
}

/** What a caller asks for; 0 takes the default where there is one. */
export interface FleetRequest {
  readonly kinds: readonly {
    readonly kind: DeviceKind;
    readonly count: number;
    readonly readingIntervalMs: number;
  }[];
  readonly seed: bigint;
  readonly startRate: number;
  readonly timeCompression: number;
  readonly virtualStartMs: number;
}

/**
 * The plan that a request asks for, defaults filled in.
 *
 * @throws SefleetError `SIM_PLAN_INVALID`
 */
export function planFleet(request: FleetRequest): FleetPlan {
  const kinds = request.kinds
    .filter(({ count }) => count > 0)
    .map(({ kind, count, readingIntervalMs }) => ({
      kind,
      count,
      readingIntervalMs: readingIntervalMs === 0 ? KIND_FACTS[kind].readingIntervalMs : readingIntervalMs,
    }));
  const total = kinds.reduce((sum, { count }) => sum + count, 0);
  if (total === 0 || total > MAX_DEVICES)
    throw invalid(`a fleet has 1 to ${MAX_DEVICES} devices, not ${total}`);
  if (new Set(kinds.map(({ kind }) => kind)).size !== kinds.length)
    throw invalid('a kind is asked for twice');
  if (kinds.some(({ readingIntervalMs }) => readingIntervalMs < MIN_INTERVAL_MS)) {
    throw invalid(`a device reads at most every ${MIN_INTERVAL_MS} ms`);
  }
  const timeCompression = request.timeCompression === 0 ? 1 : request.timeCompression;
  if (timeCompression > MAX_TIME_COMPRESSION)
    throw invalid(`time is compressed at most ${MAX_TIME_COMPRESSION} times`);
  const virtualStartMs = request.virtualStartMs === 0 ? undefined : request.virtualStartMs;
  return { seed: request.seed, kinds, startRate: request.startRate, timeCompression, virtualStartMs };
}

/** The devices of a plan, the kinds mixed in proportion, so that every kind is there from the beginning. */
export function planDevices(plan: FleetPlan): readonly PlannedDevice[] {
  const devices = plan.kinds.flatMap(({ kind, count }) =>
    Array.from({ length: count }, (_, i) => ({
      device: { endpoint: endpointName(kind, i + 1), kind, number: i + 1 },
      share: i / count,
    })),
  );
  return devices.sort((a, b) => a.share - b.share).map(({ device }) => device);
}

function invalid(message: string): Error {
  return simulationError('SIM_PLAN_INVALID', message);
}
