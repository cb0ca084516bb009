import { isSefleetError } from '@sefleet/errors';
import type { RegistrationState } from '@sefleet/lwm2m';
import type { Lwm2mClientEvents } from '@sefleet/lwm2m-coap';
import type { EventLog } from '@sefleet/observability';
import type { VirtualDevice } from '../device/virtual-device.ts';
import { EVENTS } from '../events.ts';
import type { FleetMetrics } from './fleet-metrics.ts';

/** The fleet that devices tell of themselves. */
export interface EventfulFleet {
  readonly metrics: FleetMetrics;
  readonly log: EventLog;
  readonly total: number;
  readonly device: (endpoint: string) => VirtualDevice | undefined;
  readonly takesReadings: () => boolean;
}

/** States in which a server has a device. */
const HELD: ReadonlySet<RegistrationState> = new Set(['registered', 'updating']);

/** Turns what the LwM2M clients of a fleet tell into counts and into what their devices do next. */
export function deviceEvents({
  metrics,
  log,
  total,
  device,
  takesReadings,
}: EventfulFleet): Lwm2mClientEvents {
  /** A device with several servers is registered as long as one of them has it. */
  const noteLoss = (endpoint: string): void => {
    const servers = device(endpoint)?.client.servers() ?? [];
    if (!servers.some(({ state }) => HELD.has(state))) metrics.deviceUnregistered(endpoint);
  };
  return {
    bootstrapped: (endpoint) => {
      metrics.deviceBootstrapped(endpoint);
      device(endpoint)?.bootstrapFinished();
    },
    registered: (endpoint) => {
      device(endpoint)?.registered();
      if (takesReadings()) device(endpoint)?.startReadings();
      if (metrics.deviceRegistered(endpoint, total)) {
        log.emit(EVENTS.fleetRegistered, { devices: total, tookMs: metrics.allRegisteredMs });
      }
    },
    updated: (endpoint) => device(endpoint)?.heard(),
    deregistered: noteLoss,
    registrationFailed: (endpoint, _server, error) => {
      noteLoss(endpoint);
      metrics.count(`registration.${codeOf(error)}`);
    },
    bootstrapFailed: (_endpoint, error) => metrics.count(`bootstrap.${codeOf(error)}`),
    connectionLost: (_endpoint, _server, reason) => metrics.count(`connection.${reason}`),
    handlerFailed: (endpoint, error) => {
      metrics.count('device.handlerFailed');
      log.emit(EVENTS.deviceHandlerFailed, { endpoint, error });
    },
  };
}

function codeOf(error: unknown): string {
  return isSefleetError(error) ? error.code : 'failed';
}
