import { CODE, type CoapEndpoint, type CoapReply, type CoapRequest } from '@sefleet/coap';
import { isSefleetError } from '@sefleet/errors';
import { CONTENT_FORMAT, parseRegistration, parseRegistrationUpdate } from '@sefleet/lwm2m';
import type { RegistrationRequest, RegistrationUpdate } from '@sefleet/lwm2m';
import type { Runtime } from '@sefleet/runtime';
import type { AnnouncementTable } from './announcement-table.ts';
import { credentialName } from './credential-name.ts';
import { DeviceState } from './device-state.ts';
import type { DeviceTable } from './device-table.ts';
import type { Registration } from './registration.ts';
import type { DeviceAuthoriser, Lwm2mServerEvents, Lwm2mServerLimits } from './settings.ts';
import type { Lwm2mServerStore } from './store.ts';

/** What {@link RegistrationInterface} works with. */
export interface RegistrationParts {
  readonly runtime: Runtime;
  readonly table: DeviceTable;
  readonly announcements: AnnouncementTable;
  readonly authoriser: DeviceAuthoriser;
  readonly store: Lwm2mServerStore;
  readonly events: Lwm2mServerEvents;
  readonly limits: Lwm2mServerLimits;
  /** A request of a registered device arrived on this peer; true when it is another peer than before. */
  heard(device: DeviceState, coap: CoapEndpoint, request: CoapRequest): boolean;
  /** A device has a new registration: what it knew of us is gone. */
  renewed(device: DeviceState): void;
  /** A device's registration is over. */
  ended(device: DeviceState): void;
}

/** Versions of the enabler that the server speaks (Core §6.2.1: others get 4.12). */
const VERSIONS: ReadonlySet<string> = new Set(['1.0', '1.1', '1.2']);
/** After a restart, expiries wait this long: devices could not update while the server was away. */
const RESTART_GRACE_MS = 120_000;
/** RFC 7252 §5.9.3.4: when to try again after 5.03. */
const RETRY_AFTER_SECONDS = 10;
const RD_PATH = 'rd';
/** What a refused device is told, by the reason (RFC 7252 §5.5.2); never whether a name exists. */
const DIAGNOSTICS: Readonly<Record<string, string>> = {
  version: 'lwm2m is 1.0, 1.1 or 1.2',
  notAuthorised: 'the credential is not one of this endpoint name',
  contentFormat: 'objects come as application/link-format (40)',
};
/** Characters of a diagnostic that names what the device sent. */
const DIAGNOSTIC_MAX = 100;

/** Register, Update and De-register (Core §6.2), and the expiry of lifetimes. */
export class RegistrationInterface {
  readonly #parts: RegistrationParts;

  constructor(parts: RegistrationParts) {
    this.#parts = parts;
  }

  /** Answers a request below `/rd`. */
  handle(coap: CoapEndpoint, request: CoapRequest): CoapReply | Promise<CoapReply> {
    const [, id, ...rest] = request.segments;
    if (rest.length > 0) return { code: CODE.NOT_FOUND };
    if (id === undefined) {
      return request.method === 'POST' ? this.#register(coap, request) : { code: CODE.METHOD_NOT_ALLOWED };
    }
    if (request.method === 'POST') return this.#update(coap, request, id);
    if (request.method === 'DELETE') return this.#deregister(coap, request, id);
    return { code: CODE.METHOD_NOT_ALLOWED };
  }

  /** Puts a registration back that the store kept. */
  restore(registration: Registration): DeviceState {
    const device = new DeviceState(registration);
    // Nothing is known of a queue-mode device until it speaks.
    device.sleeping = registration.queueMode;
    this.#parts.table.add(device);
    this.#armExpiry(device, RESTART_GRACE_MS);
    return device;
  }

  async #register(coap: CoapEndpoint, request: CoapRequest): Promise<CoapReply> {
    const { authoriser, table, limits, runtime } = this.#parts;
    const { peer } = request;
    const claimed = request.queryValue('ep');
    if (!VERSIONS.has(request.queryValue('lwm2m') ?? '1.0')) {
      return this.#refuse(request, CODE.PRECONDITION_FAILED, 'version', claimed);
    }
    const parsed = this.#parse(request, parseRegistration, claimed);
    if ('code' in parsed) return parsed;
    const authorised = await authoriser.authorise(peer, parsed.endpoint);
    // An endpoint is bound to its credential (Core §7.3): nobody registers under another's name.
    if (authorised === undefined || (parsed.endpoint ?? authorised.endpoint) !== authorised.endpoint) {
      return this.#refuse(request, CODE.FORBIDDEN, 'notAuthorised', claimed);
    }
    const { endpoint, kind = '' } = authorised;
    const known = table.byEndpoint(endpoint);
    if (known === undefined && table.size >= limits.maxRegistrations) {
      this.#refuse(request, CODE.SERVICE_UNAVAILABLE, 'full', endpoint);
      return { code: CODE.SERVICE_UNAVAILABLE, maxAgeSeconds: RETRY_AFTER_SECONDS };
    }
    const now = runtime.clock.wallMs();
    const { version, lifetimeSeconds, binding, queueMode, smsNumber } = parsed;
    const registration: Registration = {
      id: Buffer.from(runtime.rng.bytes(9)).toString('base64url'),
      endpoint,
      kind,
      credential: credentialName(peer.identity),
      version,
      lifetimeSeconds,
      binding,
      queueMode,
      smsNumber,
      announcement: this.#parts.announcements.parse(request.payload),
      registeredAtMs: now,
      updatedAtMs: now,
    };
    await this.#admit(coap, request, registration, known);
    return { code: CODE.CREATED, locationPath: [RD_PATH, registration.id] };
  }

  async #admit(
    coap: CoapEndpoint,
    request: CoapRequest,
    registration: Registration,
    known: DeviceState | undefined,
  ): Promise<void> {
    const { table, store, events } = this.#parts;
    const replaced = known?.registration;
    const device = known ?? new DeviceState(registration);
    if (known === undefined) table.add(device);
    else table.reregister(device, registration);
    const moved = this.#parts.heard(device, coap, request);
    this.#armExpiry(device, 0);
    await store.saveRegistration(registration);
    events.registered?.(registration, replaced);
    // A device on another peer is renewed by that.
    if (!moved) this.#parts.renewed(device);
  }

  #update(coap: CoapEndpoint, request: CoapRequest, id: string): CoapReply {
    const device = this.#ownDevice(request, id);
    if (device === undefined) return { code: CODE.NOT_FOUND };
    const update = this.#parse(request, parseRegistrationUpdate, device.registration.endpoint);
    if ('code' in update) return update;
    const { registration: before } = device;
    const { lifetimeSeconds, binding, queueMode, smsNumber, objects } = update;
    const announcement = objects === undefined ? undefined : this.#parts.announcements.parse(request.payload);
    device.registration = {
      ...before,
      ...(lifetimeSeconds === undefined ? {} : { lifetimeSeconds }),
      ...(binding === undefined ? {} : { binding }),
      ...(queueMode === undefined ? {} : { queueMode }),
      ...(smsNumber === undefined ? {} : { smsNumber }),
      ...(announcement === undefined ? {} : { announcement }),
      updatedAtMs: this.#parts.runtime.clock.wallMs(),
    };
    this.#parts.heard(device, coap, request);
    // A longer lifetime is found when the timer fires; only a shorter one needs it sooner.
    if (device.registration.lifetimeSeconds !== before.lifetimeSeconds) this.#armExpiry(device, 0);
    this.#parts.store.touchRegistration(device.registration);
    this.#parts.events.updated?.(device.registration);
    return { code: CODE.CHANGED };
  }

  #deregister(coap: CoapEndpoint, request: CoapRequest, id: string): CoapReply {
    const device = this.#ownDevice(request, id);
    if (device === undefined) return { code: CODE.NOT_FOUND };
    this.#parts.heard(device, coap, request);
    this.#end(device);
    this.#parts.events.deregistered?.(device.registration);
    return { code: CODE.DELETED };
  }

  /**
   * The device of a registration, if the peer holds the credential that made it; to others it does not exist.
   */
  #ownDevice(request: CoapRequest, id: string): DeviceState | undefined {
    const device = this.#parts.table.byRegistration(id);
    if (device === undefined) return undefined;
    if (device.connection?.peer === request.peer) return device;
    if (device.registration.credential === credentialName(request.peer.identity)) return device;
    const { endpoint } = device.registration;
    this.#parts.events.refused?.({
      what: 'registration',
      reason: 'foreignRegistration',
      peer: request.peer,
      endpoint,
    });
    return undefined;
  }

  #parse<T extends RegistrationRequest | RegistrationUpdate>(
    request: CoapRequest,
    parse: (queries: readonly string[], payload: Uint8Array) => T,
    endpoint: string | undefined,
  ): T | (CoapReply & { code: number }) {
    const { contentFormat, payload } = request;
    if (contentFormat !== undefined && contentFormat !== CONTENT_FORMAT.LINK) {
      return this.#refuse(request, CODE.UNSUPPORTED_CONTENT_FORMAT, 'contentFormat', endpoint);
    }
    if (payload.length > this.#parts.limits.maxLinkBytes) {
      return this.#refuse(request, CODE.REQUEST_ENTITY_TOO_LARGE, 'tooLarge', endpoint);
    }
    try {
      const parsed = parse(request.query, payload);
      return this.#isTooLong(parsed) ? this.#refuseLifetime(request, endpoint) : parsed;
    } catch (error) {
      if (!isSefleetError(error)) throw error;
      const reply = this.#refuse(request, CODE.BAD_REQUEST, 'malformed', endpoint);
      return { ...reply, payload: error.message.slice(0, DIAGNOSTIC_MAX) };
    }
  }

  /** An endless registration, lifetime 0, is the longest. */
  #isTooLong({ lifetimeSeconds = 1 }: RegistrationRequest | RegistrationUpdate): boolean {
    return (lifetimeSeconds || Infinity) > this.#parts.limits.maxLifetimeSeconds;
  }

  #refuseLifetime(request: CoapRequest, endpoint: string | undefined): CoapReply & { code: number } {
    const reply = this.#refuse(request, CODE.BAD_REQUEST, 'lifetime', endpoint);
    return { ...reply, payload: `lt is 1 to ${this.#parts.limits.maxLifetimeSeconds} seconds here` };
  }

  #refuse(
    request: CoapRequest,
    code: number,
    reason: string,
    endpoint: string | undefined,
  ): CoapReply & { code: number } {
    this.#parts.events.refused?.({ what: 'registration', reason, peer: request.peer, endpoint });
    return { code, payload: DIAGNOSTICS[reason] };
  }

  /**
   * One timer a device. It is not moved by updates: when it fires it looks, and is set again for the rest.
   */
  #armExpiry(device: DeviceState, graceMs: number): void {
    device.expiry?.cancel();
    device.expiry = undefined;
    const { lifetimeSeconds } = device.registration;
    if (lifetimeSeconds === 0) return;
    const leftMs = Math.max(this.#leftMs(device.registration), graceMs);
    device.expiry = this.#parts.runtime.timers.after(leftMs, () => this.#onExpiry(device));
  }

  #onExpiry(device: DeviceState): void {
    if (this.#leftMs(device.registration) > 0) {
      this.#armExpiry(device, 0);
      return;
    }
    this.#end(device);
    this.#parts.events.expired?.(device.registration);
  }

  #leftMs({ updatedAtMs, lifetimeSeconds }: Registration): number {
    return updatedAtMs + lifetimeSeconds * 1000 - this.#parts.runtime.clock.wallMs();
  }

  #end(device: DeviceState): void {
    device.expiry?.cancel();
    device.expiry = undefined;
    this.#parts.table.remove(device);
    this.#parts.store.removeRegistration(device.registration);
    this.#parts.ended(device);
  }
}
