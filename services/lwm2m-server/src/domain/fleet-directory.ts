import { isGateway } from '@sefleet/lwm2m-coap';
import type { EndDevice, Lwm2mServer, RegisteredDevice, Registration } from '@sefleet/lwm2m-coap';
import { serviceError } from '../errors.ts';

/** An end device and the gateway that told of it. */
interface Placed {
  readonly gateway: string;
  readonly endDevice: EndDevice;
}

/** End devices of one gateway that are taken. */
const END_DEVICES_MAX = 256;

/**
 * Every device by its name: the registered ones, and those behind gateways, which are shown as devices of
 * their own. A name that a gateway tells never hides a registered device, nor one that another gateway
 * told before.
 */
export class FleetDirectory {
  readonly #server: Lwm2mServer;
  readonly #count: (name: string) => void;
  readonly #placed = new Map<string, Placed>();
  /** What a gateway announced when it was last asked. */
  readonly #asked = new Map<string, Registration['announcement']>();

  constructor(server: Lwm2mServer, count: (name: string) => void) {
    this.#server = server;
    this.#count = count;
  }

  find(endpoint: string): RegisteredDevice | undefined {
    const registered = this.#server.find(endpoint);
    if (registered !== undefined) return registered;
    const placed = this.#placed.get(endpoint);
    return placed === undefined ? undefined : this.#server.endDevice(placed.gateway, placed.endDevice);
  }

  /** @throws SefleetError `LWM2M_DEVICE_NOT_FOUND` */
  device(endpoint: string): RegisteredDevice {
    return this.find(endpoint) ?? this.#server.device(endpoint);
  }

  *devices(): Iterable<RegisteredDevice> {
    yield* this.#server.devices();
    for (const [name, { gateway, endDevice }] of this.#placed) {
      const device = this.#server.find(name) ?? this.#server.endDevice(gateway, endDevice);
      if (device?.gateway !== undefined) yield device;
    }
  }

  /** Names of the end devices behind a gateway. */
  behind(gateway: string): readonly string[] {
    return [...this.#placed].flatMap(([name, placed]) => (placed.gateway === gateway ? [name] : []));
  }

  /** The end device that a gateway has below a prefix. */
  endDevice(gateway: string, prefix: string): Registration | undefined {
    for (const placed of this.#placed.values()) {
      if (placed.gateway !== gateway || placed.endDevice.prefix !== prefix) continue;
      return this.#server.endDevice(gateway, placed.endDevice)?.registration;
    }
    return undefined;
  }

  /** A device registered or updated: a gateway is asked whom it has, unless it announced the same before. */
  async registered({ endpoint, announcement }: Registration, anew: boolean): Promise<void> {
    const device = this.#server.find(endpoint);
    if (device === undefined || (!isGateway(device.registration) && !this.#asked.has(endpoint))) return;
    if (!anew && this.#asked.get(endpoint) === announcement) return;
    this.#asked.set(endpoint, announcement);
    try {
      const endDevices = await this.#server.endDevices(endpoint);
      // It may have gone meanwhile, or announced something else and been asked again.
      if (this.#asked.get(endpoint) === announcement) this.#place(endpoint, endDevices);
    } catch {
      // Asked again with its next registration or change.
      if (this.#asked.get(endpoint) === announcement) this.#asked.delete(endpoint);
      this.#count('gateways.notRead');
    }
  }

  /** A device is gone, and with it whoever is behind it. */
  gone(endpoint: string): void {
    if (!this.#asked.delete(endpoint)) return;
    for (const name of this.behind(endpoint)) this.#placed.delete(name);
  }

  #place(gateway: string, endDevices: readonly EndDevice[]): void {
    for (const name of this.behind(gateway)) this.#placed.delete(name);
    if (endDevices.length > END_DEVICES_MAX) {
      throw serviceError(
        'LWM2M_GATEWAY_TOO_LARGE',
        `${gateway} tells of more than ${END_DEVICES_MAX} devices`,
      );
    }
    for (const endDevice of endDevices) {
      const taken = this.#server.find(endDevice.id) !== undefined || this.#placed.has(endDevice.id);
      if (taken) this.#count('gateways.nameTaken');
      else this.#placed.set(endDevice.id, { gateway, endDevice });
    }
  }
}
