import type { DeviceLife, ReadingSupply } from '../device/reading-schedule.ts';
import type { Lwm2mTransport } from '@sefleet/lwm2m-coap';
import type { DeviceServices, VirtualDevice } from '../device/virtual-device.ts';
import { Lwm2mCarrier } from '../telemetry/lwm2m-carrier.ts';
import { simulationError } from '../errors.ts';
import type { StoredDevice } from '../store/fleet-store.ts';

/** What a rehearsal decides about the devices of a fleet; without one a fleet decides itself. */
export interface FleetHooks {
  /** The time in which a device lives. */
  lifeOf(endpoint: string): DeviceLife;
  readingsOf(stored: StoredDevice): ReadingSupply;
  /** The way of a script to the card, which runs it at once; its answers come when they may be known. */
  exchange(device: VirtualDevice, commands: readonly Uint8Array[]): Promise<readonly Uint8Array[]>;
  /** True while a device has no network. */
  isAway(endpoint: string): boolean;
  /** A device has been put up; it is switched on next. */
  created(device: VirtualDevice): void;
}

/** The part of the devices' services that the hooks stand for. */
export function servicesOf(
  hooks: FleetHooks | undefined,
): Partial<Pick<DeviceServices, 'lifeOf' | 'exchange' | 'carrierFor'>> {
  if (hooks === undefined) return {};
  return {
    lifeOf: (endpoint) => hooks.lifeOf(endpoint),
    exchange: (device, commands) => hooks.exchange(device, commands),
    // Whose records are rehearsed has an LwM2M server of its own, whatever the kind of device.
    carrierFor: (device) => new Lwm2mCarrier(device.client),
  };
}

/** The transport of a fleet whose devices have a network only while the hooks say so. */
export function withNetworkOf(hooks: FleetHooks | undefined, transport: Lwm2mTransport): Lwm2mTransport {
  if (hooks === undefined) return transport;
  return {
    connect: (request) =>
      hooks.isAway(request.endpointName)
        ? Promise.reject(simulationError('SIM_CONNECTION_REFUSED', 'the device has no network now'))
        : transport.connect(request),
  };
}
