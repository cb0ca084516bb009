import { deriveRecordKey, type RecordKeyId } from '@sefleet/cose';
import type { Clock } from '@sefleet/runtime';
import type { RecordKeySource } from './ports.ts';

/** Derived keys kept: a fleet of 100,000 devices with one key each, at about 150 bytes. */
const MAX_DERIVED_KEYS = 100_000;
/** Questions to provisioning: an unknown key identifier costs a device nothing to send. */
const MIN_REFRESH_INTERVAL_MS = 500;
/** Clocks of two services differ a little. */
const NEWER_THAN_MARGIN_MS = 60_000;

/** The record keys of all stakeholders: master keys from provisioning, device keys derived from them. */
export class RecordKeys {
  readonly #source: RecordKeySource;
  readonly #clock: Clock;
  readonly #masters = new Map<string, Uint8Array>();
  readonly #derived = new Map<string, Uint8Array>();
  #newestMs: number | undefined;
  #refreshedAtMs = Number.NEGATIVE_INFINITY;
  #refreshing: Promise<void> | undefined;

  constructor(source: RecordKeySource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  /** The key of a device, if its stakeholder's master key is known. */
  find({ stakeholder, keyVersion }: RecordKeyId, endpoint: string): Uint8Array | undefined {
    const masterName = `${stakeholder}:${keyVersion}`;
    const name = `${masterName} ${endpoint}`;
    const known = this.#derived.get(name);
    if (known !== undefined) return known;
    const master = this.#masters.get(masterName);
    if (master === undefined) return undefined;
    const key = deriveRecordKey(master, endpoint);
    if (this.#derived.size >= MAX_DERIVED_KEYS) this.#derived.clear();
    this.#derived.set(name, key);
    return key;
  }

  /** How long until {@link refresh} may be called again, in milliseconds; 0 means now. */
  refreshDelayMs(): number {
    return Math.max(0, this.#refreshedAtMs + MIN_REFRESH_INTERVAL_MS - this.#clock.monotonicMs());
  }

  /** Asks for keys made since the last time. Callers at the same time share one question. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#fetch().finally(() => {
      this.#refreshing = undefined;
      this.#refreshedAtMs = this.#clock.monotonicMs();
    });
    return this.#refreshing;
  }

  async #fetch(): Promise<void> {
    const since = this.#newestMs === undefined ? undefined : this.#newestMs - NEWER_THAN_MARGIN_MS;
    for (const key of await this.#source.fetch(since)) {
      this.#masters.set(`${key.stakeholder}:${key.keyVersion}`, key.masterKey);
      this.#newestMs = Math.max(this.#newestMs ?? 0, key.createdAtMs);
    }
  }
}
