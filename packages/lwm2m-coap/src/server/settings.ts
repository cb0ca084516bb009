import type { CoapReply, CoapRequest } from '@sefleet/coap';
import type { Peer } from '@sefleet/runtime';
import type { Lwm2mEntry, ModelRegistry } from '@sefleet/lwm2m';
import type { Runtime } from '@sefleet/runtime';
import type { Registration } from './registration.ts';
import type { Lwm2mServerStore } from './store.ts';

/** Decides whether a peer may be a device. */
export interface DeviceAuthoriser {
  /**
   * Called for Register, for a Send of a peer that has no registration yet, and for Bootstrap-Request.
   *
   * @param endpoint the name that the peer claims; undefined when it gave none (Core §6.2.1)
   * @returns the device, or undefined to refuse with 4.03
   */
  authorise(peer: Peer, endpoint: string | undefined): Awaitable<AuthorisedDevice | undefined>;
}

/** Who a peer is. */
export interface AuthorisedDevice {
  readonly endpoint: string;
  /** Kept with the registration. */
  readonly kind?: string;
  /** It came without a credential: nothing secret may be told to it. */
  readonly isUnproven?: true;
}

export type Awaitable<T> = T | Promise<T>;

/** What a consumer of Send says: it has the data safe, or it cannot take more now. */
export type SendVerdict =
  | { readonly kind: 'accepted' }
  /** Answered 5.03 with this Max-Age. */
  | { readonly kind: 'busy'; readonly retryAfterSeconds: number }
  /** Answered 4.00: the device shall not try again. */
  | { readonly kind: 'refused' };

/** Takes what devices report. */
export interface ReportConsumer {
  /**
   * One Send; its 2.04 goes out when this resolves with `accepted`, so that nothing is acknowledged before
   * it is safe.
   */
  send(registration: Registration, entries: readonly Lwm2mEntry[]): Awaitable<SendVerdict>;
  /**
   * The part of a Send that a gateway reports for an end device behind it (Gateway 1.1 §6). Without this
   * method such a Send is refused with 4.00: records must not be taken for the gateway's own.
   *
   * @param prefix as the gateway names it; whether it has such an end device is the consumer's to know
   */
  endDeviceSend?(
    registration: Registration,
    prefix: string,
    entries: readonly Lwm2mEntry[],
  ): Awaitable<SendVerdict>;
  /** One notification of an observation; a confirmable one is acknowledged when this resolves. */
  notification(
    registration: Registration,
    paths: readonly string[],
    entries: readonly Lwm2mEntry[],
  ): void | Promise<void>;
}

/** What a server tells. Handlers must not throw. */
export interface Lwm2mServerEvents {
  registered?(registration: Registration, replaced: Registration | undefined): void;
  updated?(registration: Registration): void;
  deregistered?(registration: Registration): void;
  expired?(registration: Registration): void;
  /** A device was heard on a connection that is new to the server. */
  connected?(registration: Registration): void;
  /** A queue-mode device's awake time is over (Core §6.5). */
  sleeping?(registration: Registration): void;
  /** A queue-mode device was heard of again. */
  awake?(registration: Registration): void;
  /** Something that a device brought was refused. */
  refused?(refusal: Refusal): void;
}

/** What was refused of a device; no state was changed by it. */
export interface Refusal {
  /** A Register, Update or De-register; a Send; or a notification that does not decode. */
  readonly what: 'registration' | 'send' | 'notification';
  /** For counters and people: `malformed`, `notAuthorised`, `tooLarge`, ... */
  readonly reason: string;
  readonly peer: Peer | undefined;
  /** The device, or for a Register the name that the peer claims; undefined when neither is known. */
  readonly endpoint: string | undefined;
}

export interface Lwm2mServerLimits {
  /** Registered devices; further ones get 5.03. */
  readonly maxRegistrations: number;
  /** The longest lifetime that a device may ask for; an endless one (0) is longer than any. */
  readonly maxLifetimeSeconds: number;
  /** Bytes of a registration's link list. */
  readonly maxLinkBytes: number;
  /** Bytes of one Send. */
  readonly maxSendBytes: number;
  /** Operations that wait for one sleeping device. */
  readonly maxQueuedOperations: number;
  /** Observations of one device. */
  readonly maxObservationsPerDevice: number;
}

export const DEFAULT_SERVER_LIMITS: Lwm2mServerLimits = {
  maxRegistrations: 1_000_000,
  maxLifetimeSeconds: Infinity,
  maxLinkBytes: 16_384,
  maxSendBytes: 65_536,
  maxQueuedOperations: 64,
  maxObservationsPerDevice: 64,
};

/** How a server is made. */
export interface Lwm2mServerOptions {
  readonly runtime: Runtime;
  readonly models: ModelRegistry;
  readonly authoriser: DeviceAuthoriser;
  readonly consumer: ReportConsumer;
  /** Default: nothing survives. */
  readonly store?: Lwm2mServerStore;
  readonly events?: Lwm2mServerEvents;
  /** Resources beside those of LwM2M, for example firmware images; undefined answers 4.04. */
  readonly resources?: (request: CoapRequest) => CoapReply | Promise<CoapReply> | undefined;
  readonly limits?: Partial<Lwm2mServerLimits>;
  /**
   * How long a queue-mode device listens after its last message, in milliseconds. Default 93,000: CoAP's
   * MAX_TRANSMIT_WAIT (Core §6.5).
   */
  readonly awakeTimeMs?: number;
  /** How long an operation may take when its caller does not say, in milliseconds. */
  readonly operationTimeoutMs?: number;
}
