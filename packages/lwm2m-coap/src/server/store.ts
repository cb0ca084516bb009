import type { Registration } from './registration.ts';

/** Keeps what has to survive the process: registrations and the observations that callers asked for. */
export interface Lwm2mServerStore {
  /** Everything that was saved, once at start. */
  load(): Promise<StoredState>;
  /** Saves a new registration; resolves when it is durable. One of the same endpoint is replaced. */
  saveRegistration(registration: Registration): Promise<void>;
  /** Saves what an Update changed, some time soon: a lost one costs no more than an early expiry. */
  touchRegistration(registration: Registration): void;
  /** Forgets a registration and its observations. */
  removeRegistration(registration: Registration): void;
  /** Resolves when the wish is durable. */
  saveObservation(observation: StoredObservation): Promise<void>;
  removeObservation(observation: StoredObservation): void;
  /** Resolves when everything so far is durable. */
  flush(): Promise<void>;
}

/** An observation that somebody wants, whether or not the device knows of it at the moment. */
export interface StoredObservation {
  readonly endpoint: string;
  /** One path; or several for Observe-Composite. */
  readonly paths: readonly string[];
}

export interface StoredState {
  readonly registrations: readonly Registration[];
  readonly observations: readonly StoredObservation[];
}

/** A store that forgets: for tests and for servers whose devices may register anew. */
export function createVolatileStore(): Lwm2mServerStore {
  return {
    load: () => Promise.resolve({ registrations: [], observations: [] }),
    saveRegistration: () => Promise.resolve(),
    touchRegistration: () => {},
    removeRegistration: () => {},
    saveObservation: () => Promise.resolve(),
    removeObservation: () => {},
    flush: () => Promise.resolve(),
  };
}
