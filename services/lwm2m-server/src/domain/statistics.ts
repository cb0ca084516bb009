import type { EventLog } from '@sefleet/observability';
import type { Lwm2mServer } from '@sefleet/lwm2m-coap';
import type { BootstrapStore } from './bootstrap-store.ts';

/** Counts of one kind of device. */
export interface KindStatistics {
  readonly kind: string;
  readonly bootstrapped: number;
  readonly registered: number;
  readonly sleeping: number;
}

/** Something with counters of its own. */
export interface Counted {
  counters(): ReadonlyMap<string, number>;
}

/** Counts devices by kind and gathers every counter of the process. */
export class Statistics {
  readonly #server: Lwm2mServer;
  readonly #store: BootstrapStore;
  readonly #sources: readonly Counted[];

  constructor(server: Lwm2mServer, store: BootstrapStore, log: EventLog, sources: readonly Counted[]) {
    this.#server = server;
    this.#store = store;
    this.#sources = [log, ...sources];
  }

  async kinds(): Promise<readonly KindStatistics[]> {
    const bootstrapped = await this.#store.bootstrapCounts();
    const registered = new Map<string, number>();
    const sleeping = new Map<string, number>();
    for (const device of this.#server.devices()) {
      const { kind } = device.registration;
      registered.set(kind, (registered.get(kind) ?? 0) + 1);
      if (device.sleeping) sleeping.set(kind, (sleeping.get(kind) ?? 0) + 1);
    }
    const kinds = new Set([...bootstrapped.keys(), ...registered.keys()]);
    return [...kinds].map((kind) => ({
      kind,
      bootstrapped: bootstrapped.get(kind) ?? 0,
      registered: registered.get(kind) ?? 0,
      sleeping: sleeping.get(kind) ?? 0,
    }));
  }

  /** Every counter; those of the same name from several sources are added. */
  counters(): ReadonlyMap<string, number> {
    const sum = new Map<string, number>();
    for (const source of this.#sources) {
      for (const [name, value] of source.counters()) sum.set(name, (sum.get(name) ?? 0) + value);
    }
    return sum;
  }
}
