import type { DeviceState } from './device-state.ts';

/** Every registered device, by endpoint name, by registration and by the peer that it was last heard as. */
export class DeviceTable {
  readonly #byEndpoint = new Map<string, DeviceState>();
  readonly #byRegistration = new Map<string, DeviceState>();
  readonly #byPeer = new Map<string, DeviceState>();

  get size(): number {
    return this.#byEndpoint.size;
  }

  byEndpoint(endpoint: string): DeviceState | undefined {
    return this.#byEndpoint.get(endpoint);
  }

  byRegistration(id: string): DeviceState | undefined {
    return this.#byRegistration.get(id);
  }

  byPeer(key: string): DeviceState | undefined {
    return this.#byPeer.get(key);
  }

  values(): Iterable<DeviceState> {
    return this.#byEndpoint.values();
  }

  add(device: DeviceState): void {
    this.#byEndpoint.set(device.registration.endpoint, device);
    this.#byRegistration.set(device.registration.id, device);
  }

  /** Gives a device a registration in the place of the one that it had. */
  reregister(device: DeviceState, registration: DeviceState['registration']): void {
    this.#byRegistration.delete(device.registration.id);
    device.registration = registration;
    this.#byRegistration.set(registration.id, device);
  }

  /** Notes where a device was heard; true when that is another peer than before. */
  connect(device: DeviceState, connection: NonNullable<DeviceState['connection']>): boolean {
    const { key } = connection.peer;
    const before = device.connection?.peer.key;
    // Several names may come from one peer: the last one that did is found by it.
    if (before !== key) this.disconnect(device);
    device.connection = connection;
    this.#byPeer.set(key, device);
    return before !== key;
  }

  disconnect(device: DeviceState): void {
    const key = device.connection?.peer.key;
    if (key !== undefined && this.#byPeer.get(key) === device) this.#byPeer.delete(key);
    device.connection = undefined;
  }

  remove(device: DeviceState): void {
    this.disconnect(device);
    this.#byEndpoint.delete(device.registration.endpoint);
    this.#byRegistration.delete(device.registration.id);
  }
}
