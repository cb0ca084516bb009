import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { fleet } from '@sefleet/api';
import type { ServiceImplementation } from '@sefleet/service';
import type { TelemetryState } from '../../domain/telemetry.ts';
import { analyticsError } from '../../errors.ts';
import type { Dependencies } from './dependencies.ts';
import { DeviceDirectory, toReadingInit } from './device-directory.ts';
import type { FleetStateReader } from './fleet-state.ts';

const DEFAULT_INTERVAL_MS = 1000;
const MIN_INTERVAL_MS = 100;
const MAX_INTERVAL_MS = 3_600_000;
const DEFAULT_POINTS = 500;
const MAX_POINTS = 10_000;

export interface FleetPorts {
  readonly dependencies: Dependencies;
  readonly telemetry: TelemetryState;
  readonly state: FleetStateReader;
  /** Resolves after `delayMs`, or at once when `signal` is aborted. */
  sleep(delayMs: number, signal: AbortSignal): Promise<void>;
}

/** The dashboards' door: the same functions behind gRPC and the web console. */
export function createFleetHandlers(ports: FleetPorts): ServiceImplementation<typeof fleet.FleetService> {
  const { dependencies, telemetry, state } = ports;
  const directory = new DeviceDirectory(dependencies, telemetry);
  return {
    getFleetState: async () => ({ state: await state.read() }),
    watchFleetState: async function* ({ intervalMs }, { signal }) {
      const delayMs = Math.min(MAX_INTERVAL_MS, Math.max(MIN_INTERVAL_MS, intervalMs || DEFAULT_INTERVAL_MS));
      // Whoever reads slowly holds this loop where it yields: the next snapshot is one of then, not of now.
      while (!signal.aborted) {
        yield { state: await state.read() };
        await ports.sleep(delayMs, signal);
      }
    },
    listDevices: (request) => directory.list(request),
    getDevice: ({ endpoint }) => directory.get(required(endpoint, 'endpoint')),
    startRotation: async ({ requestId, stakeholder, endpoints, concurrency }) => {
      const request = { requestId, stakeholder, endpoints, concurrency };
      const { rotation } = await dependencies.rotation.ask((client, options) =>
        client.startRotation(request, options),
      );
      return rotation === undefined ? {} : { rotation };
    },
    getRotation: async ({ rotationId }) => {
      const { rotation } = await dependencies.rotation.ask((client, options) =>
        client.getRotation({ rotationId }, options),
      );
      return rotation === undefined ? {} : { rotation };
    },
    queryTelemetry: async (request) => {
      const maxPoints = request.maxPoints === 0 ? DEFAULT_POINTS : request.maxPoints;
      if (maxPoints > MAX_POINTS) {
        throw analyticsError(
          'ANALYTICS_REQUEST_INVALID',
          `max_points is 1 to ${MAX_POINTS}, not ${maxPoints}`,
        );
      }
      const queries = await telemetry.queries();
      const readings = await queries.readings({
        endpoint: required(request.endpoint, 'endpoint'),
        metric: request.metric,
        fromMs: request.from === undefined ? undefined : timestampMs(request.from),
        untilMs: request.until === undefined ? undefined : timestampMs(request.until),
        maxPoints,
      });
      return { readings: readings.map(toReadingInit) };
    },
  };
}

function required(value: string, field: string): string {
  if (value === '') throw analyticsError('ANALYTICS_REQUEST_INVALID', `${field} is empty`);
  return value;
}
