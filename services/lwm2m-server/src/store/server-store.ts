import type { Lwm2mServerStore } from '@sefleet/lwm2m-coap';

/** Everything that the service keeps: what the LwM2M server needs, and which devices were bootstrapped. */
export interface ServerStore extends Lwm2mServerStore {
  /** Notes that a device's bootstrap was finished. */
  saveBootstrap(endpoint: string, kind: string, atMs: number): void;
  /** Devices that were bootstrapped at least once, by kind. */
  bootstrapCounts(): ReadonlyMap<string, number>;
  close(): Promise<void>;
}
