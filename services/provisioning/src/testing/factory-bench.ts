import { createECDH, X509Certificate } from 'node:crypto';
import { createEventLog } from '@sefleet/observability';
import { createRootAuthority } from '@sefleet/pki';
import { decodeResponse, isProcessed } from '@sefleet/globalplatform';
import { createNodeRuntime } from '@sefleet/runtime/node';
import { SqliteDatabase } from '@sefleet/service';
import { importCard, type SecureElement } from '@sefleet/secure-element';
import type { ApduChannel, CardLinks } from '../card-link/card-link.ts';
import { createSoftwareCustody } from '../custody/software/software-custody.ts';
import { provisioningError } from '../errors.ts';
import { SwitchClock } from '../switch/switch-clock.ts';
import { Factory, type DeviceOrder } from '../manufacture/factory.ts';
import { ServerAccounts } from '../manufacture/server-accounts.ts';
import { SqlProvisioningStore } from '../store/sql/sql-provisioning-store.ts';

const DAY_MS = 86_400_000;

/** A factory, its state and the cards it made, all in memory: what tests of this service stand on. */
export async function createBench(databasePath = ':memory:', keyValidityMs?: number) {
  const runtime = createNodeRuntime();
  const clock = new SwitchClock(runtime.clock);
  const rootKey = new Uint8Array(32).fill(7);
  const store = await SqlProvisioningStore.open(new SqliteDatabase(databasePath));
  const custody = createSoftwareCustody({ folder: ':memory:', rootKey, clock, keyValidityMs });
  const now = Date.now();
  const authority = await createRootAuthority('test', new Date(now - DAY_MS), new Date(now + DAY_MS));
  const log = createEventLog({ service: 'test', level: 'silent' });
  const signer = createECDH('prime256v1');
  const firmwareKey = Uint8Array.from(signer.generateKeys());
  const accounts = new ServerAccounts({
    bootstrapUri: 'coaps://127.0.0.1:5784',
    lwm2mUri: 'coaps://127.0.0.1:5684',
    plainUri: 'coap://127.0.0.1:5683',
    lifetimeSeconds: 3600,
    authority: new X509Certificate(authority.certificatePem).raw,
    serverCertificateFile: '',
  });
  const certificateDays = 1;
  const factory = new Factory({
    store,
    custody,
    authority,
    accounts,
    firmwareKey,
    runtime,
    log,
    certificateDays,
  });
  const cards = new Map<string, SecureElement>();
  const make = async (orders: readonly DeviceOrder[]): Promise<void> => {
    for await (const batch of factory.deliver(orders, new AbortController().signal)) {
      for (const { device, image } of batch) {
        cards.set(device.endpoint, importCard(image, { rng: runtime.rng }));
      }
    }
  };
  const close = async (): Promise<void> => {
    await store.close();
    custody.close();
    runtime.close();
  };
  return {
    runtime,
    clock,
    authority,
    store,
    custody,
    firmwareKey,
    factory,
    accounts,
    log,
    cards,
    links: new LocalCardLinks(cards),
    make,
    close,
  };
}

/**
 * The way to cards in the same process. `onExchange` may throw, or let answers get lost, as a network would.
 */
export class LocalCardLinks implements CardLinks {
  readonly #cards: ReadonlyMap<string, SecureElement>;
  onExchange: (endpoint: string, when: 'before' | 'after', command: Uint8Array) => void = () => undefined;
  exchanges = 0;

  constructor(cards: ReadonlyMap<string, SecureElement>) {
    this.#cards = cards;
  }

  open(endpoint: string): ApduChannel {
    const card = this.#cards.get(endpoint);
    if (card === undefined) throw provisioningError('PROVISIONING_LINK_UNAVAILABLE', `no way to ${endpoint}`);
    return {
      exchange: async (commands) => {
        const answers: Uint8Array[] = [];
        for (const command of commands) {
          this.exchanges++;
          this.onExchange(endpoint, 'before', command);
          const answer = card.transmit(command);
          this.onExchange(endpoint, 'after', command);
          answers.push(answer);
          if (!isProcessed(decodeResponse(answer).sw)) break;
        }
        return answers;
      },
      close: () => undefined,
    };
  }
}
