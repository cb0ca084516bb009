import type { Registration } from '@sefleet/lwm2m-coap';
import type { PresenceListener } from './device-reports.ts';
import type { FleetDirectory } from './fleet-directory.ts';

/** Something that waits for devices. */
interface WaitsForDevices {
  /** True while it does. */
  readonly active: boolean;
  deviceHeard(endpoint: string): void;
}

/** Passes on where devices are, from {@link PresenceWatch.begin} on. */
export class PresenceWatch implements PresenceListener {
  #fleet: FleetDirectory | undefined;
  #waiting: readonly WaitsForDevices[] = [];

  begin(fleet: FleetDirectory, waiting: readonly WaitsForDevices[]): void {
    this.#fleet = fleet;
    this.#waiting = waiting;
    for (const device of fleet.devices()) if (device.reachable) this.registered(device.registration, false);
  }

  heard(endpoint: string): void {
    for (const one of this.#waiting) {
      if (!one.active) continue;
      one.deviceHeard(endpoint);
      for (const name of this.#fleet?.behind(endpoint) ?? []) one.deviceHeard(name);
    }
  }

  registered(registration: Registration, anew: boolean): void {
    void this.#fleet?.registered(registration, anew);
  }

  endDevice(gateway: string, prefix: string): Registration | undefined {
    return this.#fleet?.endDevice(gateway, prefix);
  }

  kindOf(endpoint: string): string {
    return this.#fleet?.find(endpoint)?.registration.kind ?? '';
  }

  gone(endpoint: string): void {
    this.#fleet?.gone(endpoint);
  }
}
