import type { EventLog } from '@sefleet/observability';
import type { Credential } from '@sefleet/pki';
import type { Runtime } from '@sefleet/runtime';
import type { ServedService } from '@sefleet/service';
import { serveKeys } from '../adapters/grpc/keys.ts';
import { serveParties } from '../adapters/grpc/parties.ts';
import { serveRevocations } from '../adapters/grpc/revocations.ts';
import type { CardLinks } from '../card-link/card-link.ts';
import { CardLists } from '../revocation/card-lists.ts';
import { RevocationOffice } from '../revocation/revocation-office.ts';
import type { KeyCustody } from '../custody/key-custody.ts';
import { KeyOffice } from '../keys/key-office.ts';
import { RenewalWatch } from '../keys/renewal-watch.ts';
import type { RotationOrders } from '../rotation/rotation-orders.ts';
import type { PartyStore } from '../store/party-store.ts';
import type { ProvisioningStore } from '../store/provisioning-store.ts';
import { PartyRegistry } from '../switch/party-registry.ts';
import type { SwitchClock } from '../switch/switch-clock.ts';
import { Gate } from './gate.ts';
import { PartyOffice } from './party-office.ts';

const DAY_MS = 86_400_000;

/** The part of the service that is about parties: who they are, their keys and their certificates. */
export interface PartiesPart {
  readonly grpc: readonly ServedService[];
  readonly office: PartyOffice;
  readonly gate: Gate;
  readonly registry: PartyRegistry;
  readonly watch: RenewalWatch;
  readonly revocation: RevocationOffice;
  readonly cards: CardLists;
  close(): Promise<void>;
}

/** Wires the registry of parties, the life of their keys and the watch over both. */
export async function openParties(ports: {
  readonly store: ProvisioningStore;
  readonly parties: PartyStore;
  readonly custody: KeyCustody;
  readonly orders: RotationOrders;
  readonly links: CardLinks;
  readonly authority: Credential;
  readonly runtime: Runtime;
  readonly clock: SwitchClock;
  readonly log: EventLog;
  readonly settings: { readonly renewBeforeDays: number };
}): Promise<PartiesPart> {
  const { store, parties, custody, orders, links, authority, runtime, clock, log, settings } = ports;
  const revocation = await RevocationOffice.open({ parties, store, authority, clock: runtime.clock, log });
  const isOut = (subject: string): boolean => revocation.isOut(subject);
  const office = await PartyOffice.open({ parties, store, authority, clock, isOut });
  const gate = new Gate(parties, clock, log);
  const registry = new PartyRegistry(custody, authority, runtime.clock, parties);
  const keys = new KeyOffice(custody, orders, store);
  const watched = { keys, custody, store, registry, runtime, log };
  const leadMs = settings.renewBeforeDays * DAY_MS;
  const watch = new RenewalWatch({ ...watched, now: () => clock.now(), leadMs });
  clock.onAdvance(() => void watch.look());
  watch.start();
  const cards = new CardLists({ office: revocation, parties, store, custody, links, runtime, log });
  cards.start();
  const authorityPem = authority.certificatePem;
  return {
    office,
    gate,
    registry,
    watch,
    revocation,
    cards,
    grpc: [
      serveParties({ office, gate, store: parties, authorityPem }),
      serveKeys({ keys, gate, log }),
      serveRevocations({ office: revocation, cards, gate }),
    ],
    close: async () => {
      await cards.close();
      await watch.close();
    },
  };
}
