import {
  CODE,
  type CoapEndpoint,
  type CoapReply,
  type CoapRequest,
  type RequestHandler,
} from '@sefleet/coap';
import { GATEWAY_OBJECT_ID, Lwm2mPath } from '@sefleet/lwm2m';
import type { Peer } from '@sefleet/runtime';
import { AnnouncementTable } from './announcement-table.ts';
import { DeviceClient } from './device-client.ts';
import type { DeviceClientParts } from './device-client.ts';
import type { OperationOptions } from './device-operations.ts';
import { DeviceModels } from './device-models.ts';
import type { DeviceState } from './device-state.ts';
import { DeviceTable } from './device-table.ts';
import { endDevicesOf, isGateway } from './end-devices.ts';
import type { EndDevice } from './end-devices.ts';
import { serverError } from './errors.ts';
import { Exchanges } from './exchanges.ts';
import type { Lwm2mServer, RegisteredDevice } from './lwm2m-server.ts';
import { Observations } from './observations.ts';
import { Presence } from './presence.ts';
import { RegistrationInterface } from './registration-interface.ts';
import { SendInterface } from './send-interface.ts';
import { DEFAULT_SERVER_LIMITS } from './settings.ts';
import type { Lwm2mServerLimits, Lwm2mServerOptions, Refusal } from './settings.ts';
import { createVolatileStore } from './store.ts';
import { wellKnown } from './well-known.ts';
import type { Lwm2mServerStore } from './store.ts';

/**
 * Makes a management server; {@link Lwm2mServer.listen} gives it transports.
 *
 * @example
 * const server = createLwm2mServer({ runtime, models: omaModels(), authoriser, consumer });
 * server.listen((handler) => createCoapEndpoint({ runtime, channel, handler }));
 */
export function createLwm2mServer(options: Lwm2mServerOptions): Lwm2mServer {
  return new ManagementServer(options);
}

/** RFC 6690 §4 and RFC 9176 §4: what `/.well-known/core` lists. */
const WELL_KNOWN = '</rd>;rt="core.rd";ct=40,</dp>;ct="110 112 11544"';

class ManagementServer implements Lwm2mServer {
  readonly #options: Lwm2mServerOptions;
  readonly #limits: Lwm2mServerLimits;
  readonly #store: Lwm2mServerStore;
  readonly #table = new DeviceTable();
  readonly #announcements = new AnnouncementTable();
  readonly #counters = new Map<string, number>();
  readonly #endpoints: CoapEndpoint[] = [];
  readonly #presence: Presence;
  readonly #clientParts: DeviceClientParts;
  readonly #registrations: RegistrationInterface;
  readonly #sends: SendInterface;

  constructor(options: Lwm2mServerOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_SERVER_LIMITS, ...options.limits };
    this.#store = options.store ?? createVolatileStore();
    const { runtime, consumer, events = {} } = options;
    const models = new DeviceModels(options.models);
    const { clock } = runtime;
    this.#presence = new Presence(runtime, events, {
      awakeTimeMs: options.awakeTimeMs,
      maxWaiting: this.#limits.maxQueuedOperations,
    });
    const exchanges = new Exchanges(runtime, this.#presence, options.operationTimeoutMs);
    const count = (name: string): void => this.#count(name);
    const refused = (refusal: Refusal): void => {
      this.#count(`${refusal.what}s.refused.${refusal.reason}`);
      events.refused?.(refusal);
    };
    const observations = new Observations({
      exchanges,
      models,
      clock,
      consumer,
      count,
      refused,
      presence: this.#presence,
      store: this.#store,
      maxPerDevice: this.#limits.maxObservationsPerDevice,
    });
    this.#clientParts = { exchanges, observations, models, clock };
    this.#registrations = this.#createRegistrations(observations, refused);
    this.#sends = new SendInterface({
      models,
      clock,
      consumer,
      count,
      refused,
      limits: this.#limits,
      deviceOf: (coap, request) => this.#deviceOf(coap, request),
    });
  }

  get size(): number {
    return this.#table.size;
  }

  listen(connect: (handler: RequestHandler) => CoapEndpoint): CoapEndpoint {
    const coap: CoapEndpoint = connect((request) => this.#handle(coap, request));
    this.#endpoints.push(coap);
    return coap;
  }

  async restore(): Promise<void> {
    const { registrations, observations } = await this.#store.load();
    for (const registration of registrations) this.#registrations.restore(registration);
    for (const { endpoint, paths } of observations) {
      const device = this.#table.byEndpoint(endpoint);
      if (device !== undefined) this.#clientParts.observations.restore(device, paths);
    }
  }

  find(endpoint: string): RegisteredDevice | undefined {
    const device = this.#table.byEndpoint(endpoint);
    return device === undefined ? undefined : new DeviceClient(device, this.#clientParts);
  }

  device(endpoint: string): RegisteredDevice {
    const device = this.find(endpoint);
    if (device === undefined) {
      const context = { endpoint };
      throw serverError('LWM2M_DEVICE_NOT_FOUND', `no device is registered as ${endpoint}`, { context });
    }
    return device;
  }

  async endDevices(endpoint: string, options?: OperationOptions): Promise<readonly EndDevice[]> {
    const device = this.device(endpoint);
    if (!isGateway(device.registration)) return [];
    const { entries } = await device.read(new Lwm2mPath(GATEWAY_OBJECT_ID.GATEWAY), undefined, options);
    return endDevicesOf(entries, this.#announcements);
  }

  endDevice(gateway: string, endDevice: EndDevice): RegisteredDevice | undefined {
    const device = this.#table.byEndpoint(gateway);
    return device === undefined ? undefined : new DeviceClient(device, this.#clientParts, endDevice);
  }

  *devices(): Iterable<RegisteredDevice> {
    for (const device of this.#table.values()) yield new DeviceClient(device, this.#clientParts);
  }

  async adopt(coap: CoapEndpoint, peer: Peer): Promise<boolean> {
    return (await this.#deviceByCredential(coap, peer)) !== undefined;
  }

  peerGone(peer: Peer): void {
    const device = this.#table.byPeer(peer.key);
    if (device !== undefined) this.#table.disconnect(device);
  }

  counters(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counters);
  }

  async close(): Promise<void> {
    await Promise.all(this.#endpoints.map((coap) => coap.close()));
    for (const device of this.#table.values()) {
      device.expiry?.cancel();
      this.#presence.forget(device);
    }
    await this.#store.flush();
  }

  #createRegistrations(
    observations: Observations,
    refused: (refusal: Refusal) => void,
  ): RegistrationInterface {
    const { runtime, authoriser, events = {} } = this.#options;
    return new RegistrationInterface({
      runtime,
      authoriser,
      events: { ...events, refused },
      table: this.#table,
      announcements: this.#announcements,
      store: this.#store,
      limits: this.#limits,
      heard: (device, coap, request) => this.#heard(device, coap, request.peer),
      renewed: (device) => this.#renewObservations(device),
      ended: (device) => {
        observations.forget(device);
        this.#presence.forget(device);
      },
    });
  }

  #handle(coap: CoapEndpoint, request: CoapRequest): CoapReply | Promise<CoapReply> {
    switch (request.segments[0]) {
      case 'rd':
        return this.#registrations.handle(coap, request);
      case 'dp':
        return this.#sends.handle(coap, request);
      case '.well-known':
        return wellKnown(request, WELL_KNOWN);
      default:
        return this.#options.resources?.(request) ?? { code: CODE.NOT_FOUND };
    }
  }

  #heard(device: DeviceState, coap: CoapEndpoint, peer: Peer): boolean {
    const moved = this.#table.connect(device, { coap, peer });
    this.#presence.heard(device);
    // A new session knows nothing of the observations made on the one before.
    if (moved) {
      this.#renewObservations(device);
      this.#options.events?.connected?.(device.registration);
    }
    return moved;
  }

  /** In a later turn: the device gets the answer to its own request first. */
  #renewObservations(device: DeviceState): void {
    if (device.wanted === undefined) return;
    this.#options.runtime.timers.after(0, () => this.#clientParts.observations.renew(device));
  }

  /**
   * The device on this peer: known from its last request, or by its credential after either side restarted.
   */
  #deviceOf(
    coap: CoapEndpoint,
    { peer }: CoapRequest,
  ): DeviceState | undefined | Promise<DeviceState | undefined> {
    const known = this.#table.byPeer(peer.key);
    if (known !== undefined) {
      this.#presence.heard(known);
      return known;
    }
    return this.#deviceByCredential(coap, peer);
  }

  async #deviceByCredential(coap: CoapEndpoint, peer: Peer): Promise<DeviceState | undefined> {
    // Without a credential anybody could speak for any device.
    if (peer.identity.kind === 'none') return undefined;
    const authorised = await this.#options.authoriser.authorise(peer, undefined);
    const device = authorised === undefined ? undefined : this.#table.byEndpoint(authorised.endpoint);
    if (device !== undefined) this.#heard(device, coap, peer);
    return device;
  }

  #count(name: string): void {
    this.#counters.set(name, (this.#counters.get(name) ?? 0) + 1);
  }
}
