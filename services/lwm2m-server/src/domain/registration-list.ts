import type { RegisteredDevice } from '@sefleet/lwm2m-coap';
import type { Clock } from '@sefleet/runtime';
import { hasTraits, type RegistrationTraits } from './registration-traits.ts';
import type { FleetDirectory } from './fleet-directory.ts';

/** Which registrations a page is cut from. */
export interface RegistrationFilter {
  /** Empty: every kind. */
  readonly kind: string;
  /** Part of the endpoint name; empty: every name. */
  readonly search: string;
  /** What else a device has to be, each without a value if it does not matter. */
  readonly traits?: RegistrationTraits | undefined;
  /** Whom a caller may see; without it every one. */
  readonly visible?: (device: RegisteredDevice) => boolean;
}

/** One page. */
export interface RegistrationPage {
  readonly devices: readonly RegisteredDevice[];
  /** Endpoint name to go on after; undefined on the last page. */
  readonly next: string | undefined;
  /** All that the filter lets through. */
  readonly total: number;
}

/**
 * Sorting a large fleet takes tens of milliseconds: the order is kept for so long even when devices come
 * and go.
 */
const ORDER_FRESH_MS = 1000;

/** Registered devices in the order of their endpoint names. */
export class RegistrationList {
  readonly #fleet: FleetDirectory;
  readonly #clock: Clock;
  #order: readonly string[] = [];
  #orderedMs = -Infinity;

  constructor(fleet: FleetDirectory, clock: Clock) {
    this.#fleet = fleet;
    this.#clock = clock;
  }

  /** The first `size` registrations behind the endpoint name `after`. */
  page(after: string, size: number, filter: RegistrationFilter): RegistrationPage {
    const devices: RegisteredDevice[] = [];
    const nowMs = this.#clock.wallMs();
    let total = 0;
    let more = false;
    for (const endpoint of this.#sorted()) {
      const device = this.#fleet.find(endpoint);
      if (device === undefined || !passes(device, filter, nowMs)) continue;
      total++;
      if (endpoint <= after) continue;
      if (devices.length < size) devices.push(device);
      else more = true;
    }
    return { devices, total, next: more ? devices.at(-1)?.registration.endpoint : undefined };
  }

  /** Endpoint names of all that the filter lets through. */
  endpoints(filter: RegistrationFilter): readonly string[] {
    const found: string[] = [];
    const nowMs = this.#clock.wallMs();
    for (const device of this.#fleet.devices()) {
      if (passes(device, filter, nowMs)) found.push(device.registration.endpoint);
    }
    return found.toSorted();
  }

  #sorted(): readonly string[] {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#orderedMs >= ORDER_FRESH_MS) {
      this.#order = Array.from(this.#fleet.devices(), ({ registration }) => registration.endpoint).toSorted();
      this.#orderedMs = nowMs;
    }
    return this.#order;
  }
}

function passes(
  device: RegisteredDevice,
  { kind, search, visible, traits }: RegistrationFilter,
  nowMs: number,
): boolean {
  const { registration } = device;
  if (search !== '' && !registration.endpoint.includes(search)) return false;
  if (kind !== '' && registration.kind !== kind) return false;
  return (traits === undefined || hasTraits(device, traits, nowMs)) && visible?.(device) !== false;
}
