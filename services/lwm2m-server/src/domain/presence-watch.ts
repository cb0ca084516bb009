import type { Registration } from '@sefleet/lwm2m-coap';
import type { Campaigns } from './campaigns/campaigns.ts';
import type { PresenceListener } from './device-reports.ts';
import type { FleetDirectory } from './fleet-directory.ts';

/** Passes on where devices are, from {@link PresenceWatch.begin} on. */
export class PresenceWatch implements PresenceListener {
  #fleet: FleetDirectory | undefined;
  #campaigns: Campaigns | undefined;

  begin(fleet: FleetDirectory, campaigns: Campaigns): void {
    this.#fleet = fleet;
    this.#campaigns = campaigns;
    for (const device of fleet.devices()) if (device.reachable) this.registered(device.registration, false);
  }

  heard(endpoint: string): void {
    if (this.#campaigns?.active !== true) return;
    this.#campaigns.deviceHeard(endpoint);
    for (const name of this.#fleet?.behind(endpoint) ?? []) this.#campaigns.deviceHeard(name);
  }

  registered(registration: Registration, anew: boolean): void {
    void this.#fleet?.registered(registration, anew);
  }

  gone(endpoint: string): void {
    this.#fleet?.gone(endpoint);
  }
}
