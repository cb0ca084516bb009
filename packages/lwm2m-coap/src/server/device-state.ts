import type { ClientObservation, CoapEndpoint } from '@sefleet/coap';
import type { Peer, Timer } from '@sefleet/runtime';
import type { Lwm2mPath } from '@sefleet/lwm2m';
import type { Registration } from './registration.ts';

/** Where a device was last heard of. */
export interface Connection {
  readonly coap: CoapEndpoint;
  readonly peer: Peer;
}

/** An operation that waits for its device. */
export interface Waiting {
  /** Settles the wait: without an error the device can be sent to. */
  wake(error?: Error): void;
}

/** An observation that is wanted of a device, and the one that runs, if any. */
export interface WantedObservation {
  readonly paths: readonly Lwm2mPath[];
  /** Of the end device behind the device that they belong to, if any. */
  readonly prefix: string | undefined;
  /** The paths as text, behind the prefix. */
  readonly names: readonly string[];
  running: ClientObservation | undefined;
  /** The peer that it was made with. */
  peerKey: string | undefined;
}

/**
 * The mutable state of one registered device. It outlives re-registrations, so that what waits for a
 * device is not lost when it comes back under a new registration. Fields that idle devices do not need
 * stay undefined.
 */
export class DeviceState {
  registration: Registration;
  connection: Connection | undefined;
  expiry: Timer | undefined;
  sleep: Timer | undefined;
  awakeUntilMs = 0;
  sleeping = false;
  waiting: Set<Waiting> | undefined;
  wanted: Map<string, WantedObservation> | undefined;

  constructor(registration: Registration) {
    this.registration = registration;
  }

  get reachable(): boolean {
    return this.connection !== undefined && !this.sleeping;
  }
}
