import type { CoapEndpoint, RequestHandler } from '@sefleet/coap';
import type { Lwm2mEntry, Lwm2mPath, ModelRegistry } from '@sefleet/lwm2m';
import type { Peer, Runtime } from '@sefleet/runtime';
import type { AuthorisedDevice, Awaitable, DeviceAuthoriser } from './settings.ts';

/**
 * What a bootstrap server does to a device before Bootstrap-Finish: deletes in order, then writes in order.
 */
export interface BootstrapConfiguration {
  /** `/` deletes everything that may be deleted (Core §6.1.7.6). */
  readonly deletes: readonly Lwm2mPath[];
  readonly writes: readonly BootstrapWrite[];
}

/** One Bootstrap-Write: an object, an instance or a resource and its values. */
export interface BootstrapWrite {
  readonly path: Lwm2mPath;
  readonly entries: readonly Lwm2mEntry[];
}

export interface BootstrapServerEvents {
  requested?(device: AuthorisedDevice): void;
  finished?(device: AuthorisedDevice, durationMs: number): void;
  failed?(device: AuthorisedDevice, error: unknown): void;
  /** A Bootstrap-Request that was refused, with a reason for counters. */
  refused?(peer: Peer, reason: string, endpoint: string | undefined): void;
}

export interface BootstrapServerOptions {
  readonly runtime: Runtime;
  readonly models: ModelRegistry;
  readonly authoriser: DeviceAuthoriser;
  /** What to write to a device; undefined refuses it with 4.00. */
  configurationFor(device: AuthorisedDevice): Awaitable<BootstrapConfiguration | undefined>;
  readonly events?: BootstrapServerEvents;
  /** Bootstraps under way; further requests get 5.03 with a Max-Age. */
  readonly maxSessions?: number;
  /** One bootstrap from the request to the answered Finish, in milliseconds. */
  readonly sessionTimeoutMs?: number;
}

/** A bootstrap server (Core §6.1) on any number of CoAP endpoints. */
export interface BootstrapServer {
  listen(connect: (handler: RequestHandler) => CoapEndpoint): CoapEndpoint;
  counters(): Readonly<Record<string, number>>;
  close(): Promise<void>;
}
