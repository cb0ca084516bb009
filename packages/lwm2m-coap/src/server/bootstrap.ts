import type { CoapEndpoint, RequestHandler } from '@sefleet/coap';
import type { ContentFormat, CoreLink, Lwm2mEntry, Lwm2mPath, ModelRegistry } from '@sefleet/lwm2m';
import type { Peer, Runtime } from '@sefleet/runtime';
import type { AuthorisedDevice, Awaitable, DeviceAuthoriser } from './settings.ts';

/**
 * What a bootstrap server does to a device before Bootstrap-Finish: deletes in order, then writes in order.
 */
export interface BootstrapConfiguration {
  /** `/` deletes everything that may be deleted (Core §6.1.7.6). */
  readonly deletes: readonly Lwm2mPath[];
  readonly writes: readonly BootstrapWrite[];
  /** What to ask the device before it is changed. Default: nothing. */
  readonly inspect?: BootstrapInspection;
  /** Writes that depend on what the device told; they come last. */
  writesFor?(findings: BootstrapFindings): readonly BootstrapWrite[];
}

/** Bootstrap-Discover and Bootstrap-Read (Core §6.1.7.4, §6.1.7.5). */
export interface BootstrapInspection {
  /**
   * Discover `/`. A Security instance that is to be written where the device has the bootstrap server's own
   * account then moves to a free id; without it, such a write replaces that account.
   */
  readonly discover: boolean;
  /** Objects 1 and 2, or what lies in them: others are not readable in a bootstrap. */
  readonly reads: readonly Lwm2mPath[];
}

/** What a device told before it was changed. A device may refuse either; the bootstrap goes on without it. */
export interface BootstrapFindings {
  /** Undefined when it was not asked for or was refused. */
  readonly links: readonly CoreLink[] | undefined;
  readonly reads: readonly {
    readonly path: Lwm2mPath;
    /** CoAP code of the answer. */
    readonly code: number;
    readonly entries: readonly Lwm2mEntry[];
  }[];
}

/** One Bootstrap-Write: an object, an instance or a resource and its values. */
export interface BootstrapWrite {
  readonly path: Lwm2mPath;
  readonly entries: readonly Lwm2mEntry[];
}

export interface BootstrapServerEvents {
  requested?(device: AuthorisedDevice): void;
  /** After Discover and Read, before anything is changed. */
  inspected?(device: AuthorisedDevice, findings: BootstrapFindings): void;
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
  /** Format of the writes for a device that prefers none (`pct`). Default TLV, which every version has. */
  readonly writeFormat?: ContentFormat;
  /** One bootstrap from the request to the answered Finish, in milliseconds. */
  readonly sessionTimeoutMs?: number;
}

/** A bootstrap server (Core §6.1) on any number of CoAP endpoints. */
export interface BootstrapServer {
  listen(connect: (handler: RequestHandler) => CoapEndpoint): CoapEndpoint;
  /**
   * Bootstraps a device that did not ask, over the session that it has open (server-initiated, Core 1.0
   * §5.2.5.4): for devices that wait for it. Others are told by their management server to ask (/1/x/9).
   *
   * @returns false when the peer may not be bootstrapped or there is no configuration for it
   */
  initiate(coap: CoapEndpoint, peer: Peer): Promise<boolean>;
  counters(): Readonly<Record<string, number>>;
  close(): Promise<void>;
}
