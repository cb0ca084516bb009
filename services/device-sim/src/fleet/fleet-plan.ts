import { endpointName, KIND_FACTS, type DeviceKind } from '../device-kind.ts';
import { simulationError } from '../errors.ts';
import { isStream, toConnectivity, type ConnectivityRequest } from '../device/connectivity.ts';
import { isClear, type NetworkConditions } from '../network/network-conditions.ts';
import type { FleetPlan } from '../store/fleet-store.ts';

/** One process: beyond it the fleet is to be split among several. */
const MAX_DEVICES = 100_000;
const MAX_TIME_COMPRESSION = 100_000;
const MIN_INTERVAL_MS = 100;
const MAX_DELAY_MS = 60_000;
const MIN_REBIND_MS = 1000;

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
  readonly network: NetworkConditions;
  readonly connectivity: ConnectivityRequest;
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
  const { seed, startRate, network } = request;
  checkNetwork(network);
  const connectivity = toConnectivity(request.connectivity);
  if (isStream(connectivity) && !isClear(network)) {
    throw invalid('network conditions are those of datagrams: a fleet over TCP takes none');
  }
  return { seed, kinds, startRate, timeCompression, virtualStartMs, network, connectivity };
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

function checkNetwork({
  lossShare,
  duplicateShare,
  delayMsMin,
  delayMsMax,
  rebindEveryMs,
}: NetworkConditions): void {
  const share = (value: number): boolean => value >= 0 && value <= 1;
  if (!share(lossShare) || !share(duplicateShare)) throw invalid('shares of datagrams lie between 0 and 1');
  if (delayMsMax < delayMsMin || delayMsMax > MAX_DELAY_MS) {
    throw invalid(`delays go from the minimum to at most ${MAX_DELAY_MS} ms`);
  }
  if (rebindEveryMs !== 0 && rebindEveryMs < MIN_REBIND_MS)
    throw invalid(`a NAT keeps addresses for ${MIN_REBIND_MS} ms`);
}

function invalid(message: string): Error {
  return simulationError('SIM_PLAN_INVALID', message);
}
