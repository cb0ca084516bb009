import {
  aidBytes,
  encodeAllowList,
  encodeApdu,
  expectStatus,
  openScp03Session,
  selectCommand,
  storeDataCommands,
} from '@sefleet/globalplatform';
import { isSefleetError } from '@sefleet/errors';
import type { EventLog } from '@sefleet/observability';
import type { Runtime } from '@sefleet/runtime';
import { CardConversation, type CardLinks } from '../card-link/card-link.ts';
import type { KeyCustody } from '../custody/key-custody.ts';
import { CARD_PLANS } from '../domain/card-plan.ts';
import { FIRST_GENERATION, keyVersionOf } from '../domain/key-versions.ts';
import { CONTROLLING_AUTHORITY } from '../domain/party.ts';
import { PROVISIONING_EVENTS } from '../events.ts';
import { PeriodicWatch } from '../periodic-watch.ts';
import { AUTHORITY_ROOT } from '../manufacture/management-domains.ts';
import type { PartyStore } from '../store/party-store.ts';
import type { Device, ProvisioningStore } from '../store/provisioning-store.ts';
import type { RevocationOffice } from './revocation-office.ts';

/** What the watch works with. */
export interface CardListPorts {
  readonly office: RevocationOffice;
  readonly parties: PartyStore;
  readonly store: ProvisioningStore;
  readonly custody: KeyCustody;
  readonly links: CardLinks;
  readonly runtime: Runtime;
  readonly log: EventLog;
}

const TICK_MS = 30_000;
/** A card that could not be reached is left alone for a while. */
const RETRY_MS = 5 * 60_000;
const CONCURRENCY = 16;
const BATCH = 256;

/**
 * Brings to the cards which providers the Controlling Authority still vouches for: the list of serial numbers
 * in its domain, by a session of its own (GPC_SPE_093 §7.4). A card without the newest list gets it as soon
 * as it can be reached, whenever that is.
 */
export class CardLists {
  readonly #ports: CardListPorts;
  readonly #failedAt = new Map<string, number>();
  readonly #watch: PeriodicWatch;

  constructor(ports: CardListPorts) {
    this.#ports = ports;
    this.#watch = new PeriodicWatch(ports.runtime.timers, TICK_MS, () =>
      this.#all().catch((error: unknown) => ports.log.emit(PROVISIONING_EVENTS.cardListFailed, { error })),
    );
  }

  /** Looks now and then every half minute. */
  start(): void {
    this.#watch.start();
  }

  /** Tries every card that is behind; a look that is under way is joined. */
  look(): Promise<void> {
    return this.#watch.look();
  }

  close(): Promise<void> {
    return this.#watch.close();
  }

  async #all(): Promise<void> {
    const { office, parties, store, runtime, log } = this.#ports;
    const { revision, serialNumbers } = office.cardList();
    if (revision === 0) return;
    const done = await parties.cardsAt(revision);
    const now = runtime.clock.monotonicMs();
    const waits = (endpoint: string): boolean => now - (this.#failedAt.get(endpoint) ?? -Infinity) < RETRY_MS;
    const behind = (await store.cardEndpoints()).filter((one) => !done.has(one) && !waits(one));
    let brought = 0;
    for (let at = 0; at < behind.length && !this.#watch.closed; at += BATCH) {
      const devices = await store.devices(behind.slice(at, at + BATCH));
      const queue = devices.values();
      const worker = async (): Promise<void> => {
        for (const device of queue) {
          if (this.#watch.closed) return;
          if (await this.#bring(device, revision, serialNumbers)) brought++;
        }
      };
      await Promise.all(Array.from({ length: CONCURRENCY }, worker));
    }
    if (behind.length > 0) {
      log.emit(PROVISIONING_EVENTS.cardListBrought, {
        revision,
        cards: brought,
        failed: behind.length - brought,
      });
    }
  }

  async #bring(device: Device, revision: number, serialNumbers: readonly Uint8Array[]): Promise<boolean> {
    const { parties, custody, links, runtime } = this.#ports;
    const { endpoint, kind, diversification } = device;
    try {
      const channel = links.open(endpoint);
      try {
        const vault = custody.vault(CONTROLLING_AUTHORITY);
        const keys = await vault.diversify('domain', FIRST_GENERATION, diversification);
        const domainAid = aidBytes(CARD_PLANS[kind].management.authority);
        const conversation = new CardConversation(channel);
        conversation.putAhead(encodeApdu(selectCommand(domainAid)));
        const session = await openScp03Session({
          transmit: conversation.transmit,
          keyVersion: keyVersionOf(FIRST_GENERATION),
          level: 0x33,
          rng: runtime.rng,
          domainAid,
          keys,
        });
        const list = encodeAllowList(AUTHORITY_ROOT.keyId, AUTHORITY_ROOT.newVersion, serialNumbers);
        for (const command of storeDataCommands(list, { format: 'ber-tlv' })) {
          await expectStatus(session, command, 'STORE DATA 70');
        }
      } finally {
        channel.close();
      }
      await parties.putCardRevision(endpoint, revision);
      this.#failedAt.delete(endpoint);
      return true;
    } catch (error) {
      this.#failedAt.set(endpoint, runtime.clock.monotonicMs());
      if (!isSefleetError(error))
        this.#ports.log.emit(PROVISIONING_EVENTS.cardListFailed, { endpoint, error });
      return false;
    }
  }
}
