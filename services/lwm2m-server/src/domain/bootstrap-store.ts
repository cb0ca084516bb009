/** Which devices were bootstrapped. */
export interface BootstrapStore {
  /** Notes that a device's bootstrap was finished. */
  saveBootstrap(endpoint: string, kind: string, atMs: number): void;
  /** Devices that were bootstrapped at least once, by kind. */
  bootstrapCounts(): Promise<ReadonlyMap<string, number>>;
}
