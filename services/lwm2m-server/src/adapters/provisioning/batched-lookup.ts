import type { Runtime } from '@sefleet/runtime';
import { serviceError } from '../../errors.ts';

/** How a {@link BatchedLookup} asks. */
export interface BatchedLookupOptions<V> {
  readonly runtime: Runtime;
  /** Finds values by key; keys that are unknown are left out. */
  readonly ask: (keys: readonly string[]) => Promise<ReadonlyMap<string, V>>;
  readonly onAsked: () => void;
  readonly onFailed: (keys: number, cause: unknown) => void;
}

interface Cached<V> {
  readonly value: V | undefined;
  readonly untilMs: number;
}

/** Keys wait this long for others, so that a fleet that starts asks in batches. */
const GATHER_MS = 3;
const BATCH_MAX = 500;
/** About 400 bytes each. */
const CACHED_MAX = 100_000;
/** A revoked credential is refused at the latest after this; sessions that run are not touched. */
const FRESH_MS = 300_000;
/** A device that was made after it first tried is let in after this. */
const UNKNOWN_FRESH_MS = 2000;
/** Keys that are being asked for; beyond it, handshakes fail and are tried again by their devices. */
const PENDING_MAX = 20_000;

/** Values of another service by key, asked in batches and remembered for a while. */
export class BatchedLookup<V> {
  readonly #options: BatchedLookupOptions<V>;
  readonly #cache = new Map<string, Cached<V>>();
  readonly #pending = new Map<string, PromiseWithResolvers<V | undefined>>();
  #gathering: string[] = [];

  constructor(options: BatchedLookupOptions<V>) {
    this.#options = options;
  }

  /**
   * The value of a key, undefined for an unknown one.
   *
   * Rejects with `LWM2M_CREDENTIALS_UNAVAILABLE` when the other service does not answer.
   */
  find(key: string): V | undefined | Promise<V | undefined> {
    const cached = this.#cache.get(key);
    if (cached !== undefined) {
      if (cached.untilMs > this.#options.runtime.clock.monotonicMs()) return cached.value;
      this.#cache.delete(key);
    }
    const pending = this.#pending.get(key);
    if (pending !== undefined) return pending.promise;
    if (this.#pending.size >= PENDING_MAX) {
      return Promise.reject(serviceError('LWM2M_CREDENTIALS_UNAVAILABLE', 'too many look-ups wait'));
    }
    return this.#enqueue(key);
  }

  #enqueue(key: string): Promise<V | undefined> {
    const waiting = Promise.withResolvers<V | undefined>();
    this.#pending.set(key, waiting);
    this.#gathering.push(key);
    if (this.#gathering.length === 1) this.#options.runtime.timers.after(GATHER_MS, () => this.#flush());
    else if (this.#gathering.length >= BATCH_MAX) this.#flush();
    return waiting.promise;
  }

  #flush(): void {
    const keys = this.#gathering;
    this.#gathering = [];
    if (keys.length === 0) return;
    this.#options.onAsked();
    void this.#options.ask(keys).then(
      (found) => this.#onFound(keys, found),
      (cause: unknown) => this.#onFailed(keys, cause),
    );
  }

  #onFound(keys: readonly string[], found: ReadonlyMap<string, V>): void {
    const nowMs = this.#options.runtime.clock.monotonicMs();
    for (const key of keys) {
      const value = found.get(key);
      this.#remember(key, { value, untilMs: nowMs + (value === undefined ? UNKNOWN_FRESH_MS : FRESH_MS) });
      this.#pending.get(key)?.resolve(value);
      this.#pending.delete(key);
    }
  }

  #onFailed(keys: readonly string[], cause: unknown): void {
    this.#options.onFailed(keys.length, cause);
    const error = serviceError('LWM2M_CREDENTIALS_UNAVAILABLE', 'provisioning did not answer', { cause });
    for (const key of keys) {
      this.#pending.get(key)?.reject(error);
      this.#pending.delete(key);
    }
  }

  #remember(key: string, cached: Cached<V>): void {
    this.#cache.set(key, cached);
    if (this.#cache.size <= CACHED_MAX) return;
    // A map iterates in the order of insertion: the first one was asked for longest ago.
    for (const oldest of this.#cache.keys()) {
      this.#cache.delete(oldest);
      return;
    }
  }
}
