import { randomUUID } from 'node:crypto';
import { isSefleetError } from '@sefleet/errors';
import type { EventLog } from '@sefleet/observability';
import type { Runtime } from '@sefleet/runtime';
import { newestVersion, type KeyCustody, type KeyRecord } from '../custody/key-custody.ts';
import { FIRST_GENERATION } from '../domain/key-versions.ts';
import { allParties, type PartyId } from '../domain/party.ts';
import { PROVISIONING_EVENTS } from '../events.ts';
import { PeriodicWatch } from '../periodic-watch.ts';
import type { ProvisioningStore } from '../store/provisioning-store.ts';
import type { PartyRegistry } from '../switch/party-registry.ts';
import type { KeyOffice } from './key-office.ts';

/** What the watch works with. */
export interface RenewalWatchPorts {
  readonly keys: KeyOffice;
  readonly custody: KeyCustody;
  readonly store: ProvisioningStore;
  readonly registry: PartyRegistry;
  readonly runtime: Runtime;
  readonly log: EventLog;
  /** The service's time: the wall's, or in rehearsals what the rehearsal says. */
  readonly now: () => number;
  /** How long before its end a key is renewed. */
  readonly leadMs: number;
}

/** Who stands in the history. */
const WATCH = 'renewal watch';
const TICK_MS = 60_000;
const DAY_MS = 86_400_000;

/**
 * Renews keys and certificates before they expire, and retires the versions that no card holds any more.
 * Whatever fails is tried again the next day.
 */
export class RenewalWatch {
  readonly #ports: RenewalWatchPorts;
  readonly #watch: PeriodicWatch;
  /** When all cards that hold a version were last tried, by party and version. */
  readonly #tried = new Map<string, number>();

  constructor(ports: RenewalWatchPorts) {
    this.#ports = ports;
    this.#watch = new PeriodicWatch(ports.runtime.timers, TICK_MS, () => this.#all());
  }

  /** Looks now and then every minute. */
  start(): void {
    this.#watch.start();
  }

  /** Looks at every party's keys once; a look that is under way is joined. */
  look(): Promise<void> {
    return this.#watch.look();
  }

  close(): Promise<void> {
    return this.#watch.close();
  }

  async #all(): Promise<void> {
    for (const { id } of allParties()) {
      if (this.#watch.closed) return;
      try {
        await this.#party(id);
      } catch (error) {
        const code = isSefleetError(error) ? error.code : 'INTERNAL';
        this.#ports.log.emit(PROVISIONING_EVENTS.renewalFailed, { party: id, code, error });
      }
    }
  }

  async #party(party: PartyId): Promise<void> {
    const { custody, registry, store } = this.#ports;
    await registry.renew(party, this.#ports.leadMs);
    const held = await store.generations(party);
    if (held.size === 0) return;
    const all = await custody.vault(party).keys();
    const keys = all.filter(({ purpose }) => purpose === 'domain');
    const due = keys.filter((key) => held.has(key.version) && this.#isDue(key));
    const newest = await newestVersion(custody.vault(party), 'record');
    const record = all.find(({ purpose, version }) => purpose === 'record' && version === newest);
    if (record !== undefined && this.#isDue(record))
      await this.#renewRecordKey(party, record, due.length > 0);
    for (const key of due) await this.#renew(party, key);
    await this.#retire(party, keys, Math.min(...held.keys()));
  }

  async #renew(party: PartyId, { version }: KeyRecord): Promise<void> {
    const { keys, store, log, now } = this.#ports;
    const endpoints = await store.endpointsAt(party, version);
    const name = `${party} ${version}`;
    // Cards that could not be reached get another chance tomorrow.
    if ((this.#tried.get(name) ?? -Infinity) > now() - DAY_MS) return;
    // One rotation at a time: cards that another one works on would be left out.
    if ((await store.unfinishedRotations()).length > 0) return;
    const requestId = `renewal ${name} ${randomUUID()}`;
    const { rotationId, devices } = await keys.renew(party, 'domain', requestId, endpoints);
    if (devices === endpoints.length) this.#tried.set(name, now());
    if (devices > 0) log.emit(PROVISIONING_EVENTS.keyRenewed, { party, version, devices, rotationId });
  }

  /**
   * Older record keys stay in use for opening: records that were sealed under them may still be on their way,
   * and archives hold others. Their owner ends them.
   */
  async #renewRecordKey(party: PartyId, { version }: KeyRecord, goesWithDomain: boolean): Promise<void> {
    const { keys, store, log } = this.#ports;
    if (goesWithDomain) {
      // The rotation that is due anyway brings it.
      await keys.nextKey(party, 'record');
      return;
    }
    if ((await store.unfinishedRotations()).length > 0) return;
    const requestId = `renewal ${party} record ${version} ${randomUUID()}`;
    const { rotationId, devices } = await keys.renew(party, 'record', requestId);
    log.emit(PROVISIONING_EVENTS.keyRenewed, { party, purpose: 'record', version, devices, rotationId });
  }

  /**
   * The version before the oldest that cards hold is still needed, for cards whose last rotation is in doubt;
   * the first is what new cards are made with.
   */
  async #retire(party: PartyId, keys: readonly KeyRecord[], oldest: number): Promise<void> {
    for (const { version, state } of keys) {
      if (version === FIRST_GENERATION || version >= oldest - 1 || state === 'destroyed') continue;
      const reason = 'no card holds it any more';
      const { keys: office } = this.#ports;
      if (state !== 'revoked') await office.change(party, 'domain', version, 'revoke', reason, WATCH);
      await office.change(party, 'domain', version, 'destroy', reason, WATCH);
    }
  }

  #isDue({ state, expiresAt }: KeyRecord): boolean {
    const { now, leadMs } = this.#ports;
    return state === 'active' && expiresAt !== undefined && now() >= expiresAt - leadMs;
  }
}
