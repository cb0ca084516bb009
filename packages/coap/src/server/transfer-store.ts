import type { Runtime, Timer } from '@sefleet/runtime';

interface Entry<Value> {
  readonly value: Value;
  readonly peerKey: string;
  bytes: number;
  expiresAtMs: number;
}

/** What a store may hold. */
export interface StoreBounds {
  readonly maxEntries: number;
  readonly maxBytes: number;
  readonly lifetimeMs: number;
}

/** Bookkeeping of an entry beside its body, so that many small ones are bounded as well. */
const ENTRY_OVERHEAD_BYTES = 256;

/**
 * State of blockwise transfers, bounded in number, bytes and age. What was used longest ago goes first; since
 * all entries live equally long, their order of use is their order of expiry, and one timer serves them all.
 */
export class TransferStore<Value> {
  readonly #runtime: Runtime;
  readonly #bounds: StoreBounds;
  readonly #entries = new Map<string, Entry<Value>>();
  #bytes = 0;
  #timer: Timer | undefined;
  /** Entries that had to make room before their time. */
  evicted = 0;

  constructor(runtime: Runtime, bounds: StoreBounds) {
    this.#runtime = runtime;
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The value under that key, which lives on from now. */
  use(key: string): Value | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    entry.expiresAtMs = this.#runtime.clock.monotonicMs() + this.#bounds.lifetimeMs;
    return entry.value;
  }

  /** Keeps a value of that many bytes, in place of the one under the same key. */
  put(key: string, peerKey: string, value: Value, bytes: number): void {
    this.remove(key);
    const size = bytes + ENTRY_OVERHEAD_BYTES;
    const expiresAtMs = this.#runtime.clock.monotonicMs() + this.#bounds.lifetimeMs;
    this.#entries.set(key, { value, peerKey, bytes: size, expiresAtMs });
    this.#bytes += size;
    this.#makeRoom();
    if (this.#timer === undefined && this.#entries.size > 0) this.#arm(this.#bounds.lifetimeMs);
  }

  /** The value under that key has grown by so many bytes. */
  grow(key: string, bytes: number): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.bytes += bytes;
    this.#bytes += bytes;
    this.#makeRoom();
  }

  remove(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
    if (this.#entries.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  removePeer(peerKey: string): void {
    for (const [key, entry] of this.#entries) if (entry.peerKey === peerKey) this.remove(key);
  }

  clear(): void {
    for (const key of this.#entries.keys()) this.remove(key);
  }

  #makeRoom(): void {
    const { maxEntries, maxBytes } = this.#bounds;
    for (const key of this.#entries.keys()) {
      if (this.#entries.size <= maxEntries && this.#bytes <= maxBytes) return;
      this.evicted++;
      this.remove(key);
    }
  }

  #arm(delayMs: number): void {
    this.#timer = this.#runtime.timers.after(delayMs, () => {
      this.#timer = undefined;
      this.#expire();
    });
  }

  #expire(): void {
    const nowMs = this.#runtime.clock.monotonicMs();
    for (const [key, entry] of this.#entries) {
      if (entry.expiresAtMs > nowMs) {
        this.#arm(entry.expiresAtMs - nowMs);
        return;
      }
      this.remove(key);
    }
  }
}
