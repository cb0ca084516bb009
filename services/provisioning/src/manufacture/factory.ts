import type { Credential } from '@sefleet/pki';
import { issueCertificate } from '@sefleet/pki';
import type { EventLog } from '@sefleet/observability';
import type { Runtime } from '@sefleet/runtime';
import type { KeyCustody } from '../custody/key-custody.ts';
import { CARD_PLANS } from '../domain/card-plan.ts';
import { DEFAULT_CONNECTIVITY, isSameConnectivity, type Connectivity } from '../domain/connectivity.ts';
import { DEVICE_KINDS, type DeviceKind } from '../domain/device-kind.ts';
import { FIRST_GENERATION } from '../domain/key-versions.ts';
import { toOwnCredential, type OwnCredential } from '../domain/own-credential.ts';
import { findParty, NETWORK_PROVIDER } from '../domain/party.ts';
import { isEndpointName, pskIdentity } from '../domain/psk-identity.ts';
import { provisioningError } from '../errors.ts';
import { PROVISIONING_EVENTS } from '../events.ts';
import type { Device, MadeCard, ProvisioningStore } from '../store/provisioning-store.ts';
import { CardFactory } from './card-factory.ts';
import { CertificatePress } from './certificate-press.ts';
import { publicKeyOf, type AccountHolder, type ServerAccounts } from './server-accounts.ts';
import { FIRST_PSK_VERSION, PSK_BYTES, pskLabel, softwarePsk } from './first-keys.ts';

/** A device that was ordered. */
export interface DeviceOrder {
  readonly endpoint: string;
  readonly kind: DeviceKind;
  /** How it is to reach its LwM2M server; a device that is ordered again is changed to it. */
  readonly connectivity?: Connectivity;
}

/** A card as it is delivered. */
export interface DeliveredCard extends MadeCard {
  readonly image: Uint8Array;
  /** EF(LwM2M_Bootstrap) of a device that has its accounts in its own memory; else empty. */
  readonly factoryAccounts: Uint8Array;
}

/** Credentials of a device that has no card of ours. */
export interface SoftwareCredentials {
  readonly endpoint: string;
  readonly identity: string;
  readonly psk: Uint8Array;
  readonly credential: Credential | undefined;
}

/** What the factory works with. */
export interface FactoryPorts {
  readonly store: ProvisioningStore;
  readonly custody: KeyCustody;
  readonly authority: Credential;
  readonly accounts: ServerAccounts;
  /** Of the firmware authority, for every card: an uncompressed point. */
  readonly firmwareKey: Uint8Array;
  readonly runtime: Runtime;
  readonly log: EventLog;
  readonly certificateDays: number;
}

/** Cards between two turns of the event loop, so that other callers are answered while a fleet is made. */
const BATCH = 8;
const MAX_ORDERS = 100_000;
const DAY_MS = 86_400_000;
const CERTIFICATE_BYTES_NAME_MAX = 64;

/** Takes orders, has cards made, keeps and delivers them: each endpoint's card once. */
export class Factory {
  readonly #ports: FactoryPorts;
  readonly #cards: CardFactory;
  readonly #presses = new Map<
    DeviceKind,
    { readonly madeAt: number; readonly press: Promise<CertificatePress> }
  >();
  /** One after the other: two callers that order the same device get the same card. */
  #line: Promise<unknown> = Promise.resolve();

  constructor(ports: FactoryPorts) {
    this.#ports = ports;
    this.#cards = new CardFactory(ports.custody, ports.runtime.rng, ports.firmwareKey);
  }

  /** Delivers the cards of `orders` in their order, a batch at a time, making those that do not exist. */
  async *deliver(
    orders: readonly DeviceOrder[],
    signal: AbortSignal,
  ): AsyncIterable<readonly DeliveredCard[]> {
    checkOrders(orders);
    for (const { connectivity } of orders) this.#ports.accounts.check(connectivity ?? DEFAULT_CONNECTIVITY);
    for (const kind of new Set(orders.map((order) => order.kind))) await this.#cards.prepare(kind);
    for (let at = 0; at < orders.length && !signal.aborted; at += BATCH) {
      const batch = orders.slice(at, at + BATCH);
      yield await this.#inLine(() => this.#batch(batch));
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#ports.log.emit(PROVISIONING_EVENTS.cardsMade, { ordered: orders.length });
  }

  /**
   * Credentials for a program that we did not write. Asking again gives the same PSK and a new certificate.
   */
  async addSoftwareDevice(
    order: DeviceOrder,
    withCertificate: boolean,
    own: readonly OwnCredential[] = [],
  ): Promise<SoftwareCredentials> {
    checkOrders([order]);
    const { store, custody } = this.#ports;
    const { endpoint } = order;
    await this.#inLine(() => this.#takeName(order));
    for (const credential of own) {
      if (await store.putOwnCredential(endpoint, credential)) continue;
      const message = `another device proves itself with this ${credential.form}`;
      throw provisioningError('PROVISIONING_CREDENTIAL_EXISTS', message, { context: { endpoint } });
    }
    const network = custody.vault(NETWORK_PROVIDER);
    await network.ensureMaster('psk', FIRST_PSK_VERSION);
    const label = pskLabel(endpoint, 'management');
    const psk = softwarePsk(await network.derive('psk', FIRST_PSK_VERSION, label, PSK_BYTES));
    const credential = withCertificate ? await this.#softwareCertificate(endpoint) : undefined;
    return { endpoint, identity: pskIdentity(endpoint, 'management'), psk, credential };
  }

  #inLine<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#line.then(work);
    this.#line = done.catch(() => undefined);
    return done;
  }

  async #takeName({ endpoint, kind }: DeviceOrder): Promise<void> {
    const { store } = this.#ports;
    const known = (await store.devices([endpoint])).get(endpoint);
    if (known !== undefined && (known.make !== 'software' || known.kind !== kind)) throw taken(endpoint);
    if (known !== undefined) return;
    await store.addSoftwareDevice({
      endpoint,
      kind,
      make: 'software',
      diversification: new Uint8Array(),
      connectivity: DEFAULT_CONNECTIVITY,
    });
  }

  async #batch(orders: readonly DeviceOrder[]): Promise<readonly DeliveredCard[]> {
    const { store, custody } = this.#ports;
    const endpoints = orders.map(({ endpoint }) => endpoint);
    const [known, devices] = await Promise.all([store.cards(endpoints), store.devices(endpoints)]);
    const fresh: DeliveredCard[] = [];
    for (const order of orders) {
      const device = devices.get(order.endpoint);
      if (device === undefined) fresh.push(await this.#make(order));
      else if (device.make !== 'card' || device.kind !== order.kind) throw taken(order.endpoint);
      else await this.#reconnect(device, order.connectivity ?? DEFAULT_CONNECTIVITY);
    }
    if (fresh.length > 0) await store.addCards(fresh);
    await this.#registerRawKeys([...fresh, ...known.values()], orders);
    const made = new Map(fresh.map((card) => [card.device.endpoint, card]));
    return endpoints.map((endpoint) => {
      const card = made.get(endpoint);
      if (card !== undefined) return card;
      const kept = known.get(endpoint);
      if (kept === undefined) throw provisioningError('PROVISIONING_DEVICE_NOT_FOUND', endpoint);
      const connectivity = orders.find((order) => order.endpoint === endpoint)?.connectivity;
      const [certificate = new Uint8Array()] = kept.certificateChain;
      return {
        ...kept,
        image: custody.images.open(imageName(endpoint), kept.sealedImage),
        factoryAccounts: this.#factoryAccounts({
          endpoint,
          certificate,
          connectivity: connectivity ?? DEFAULT_CONNECTIVITY,
        }),
      };
    });
  }

  /** A device that exists is given other accounts at its next bootstrap, unless they are in a card. */
  async #reconnect(device: Device, connectivity: Connectivity): Promise<void> {
    const { endpoint, connectivity: before } = device;
    if (isSameConnectivity(before, connectivity)) return;
    if (before.bootstrap === 'smartcard' || connectivity.bootstrap === 'smartcard') {
      throw provisioningError(
        'PROVISIONING_DEVICE_EXISTS',
        `the card of ${endpoint} has left the factory, with ${describe(before)}; ${describe(connectivity)} is asked for`,
        { hint: 'Ask for what the device was made with, or make a new fleet in another data folder.' },
      );
    }
    await this.#ports.store.putConnectivity(endpoint, connectivity);
  }

  /** Servers find a device by its raw public key among the credentials of devices. */
  async #registerRawKeys(cards: readonly MadeCard[], orders: readonly DeviceOrder[]): Promise<void> {
    const wanted = new Set(
      orders.filter(({ connectivity }) => connectivity?.credential === 'rpk').map(({ endpoint }) => endpoint),
    );
    for (const { device, certificateChain } of cards) {
      const [certificate] = certificateChain;
      if (certificate === undefined || !wanted.has(device.endpoint)) continue;
      const credential = toOwnCredential('public-key', publicKeyOf(certificate), device.endpoint);
      await this.#ports.store.putOwnCredential(device.endpoint, credential);
    }
  }

  #factoryAccounts(holder: AccountHolder): Uint8Array {
    const { bootstrap } = holder.connectivity;
    return bootstrap === 'factory' ? this.#ports.accounts.bootstrapFile(holder) : new Uint8Array();
  }

  async #make(order: DeviceOrder): Promise<DeliveredCard> {
    const { endpoint, kind, connectivity = DEFAULT_CONNECTIVITY } = order;
    const press = await this.#press(kind);
    let certificate: Uint8Array = new Uint8Array();
    const { image, diversification } = await this.#cards.make(endpoint, kind, (devicePublicKey) => {
      certificate = press.issue(endpoint, devicePublicKey);
      return connectivity.bootstrap === 'smartcard'
        ? this.#ports.accounts.bootstrapFile({ endpoint, connectivity, certificate })
        : undefined;
    });
    return {
      device: { endpoint, kind, make: 'card', diversification, connectivity },
      image,
      factoryAccounts: this.#factoryAccounts({ endpoint, connectivity, certificate }),
      sealedImage: this.#ports.custody.images.seal(imageName(endpoint), image),
      certificateChain: [certificate, press.authority],
      accounts: CARD_PLANS[kind].domains
        .filter(({ role }) => role === CARD_PLANS[kind].supplier)
        .map(({ party }) => party),
      domains: CARD_PLANS[kind].domains.map(({ domain, role, party }) => {
        return { endpoint, domain, role, party, generation: FIRST_GENERATION, rotatedAt: undefined };
      }),
    };
  }

  #press(kind: DeviceKind): Promise<CertificatePress> {
    const known = this.#presses.get(kind);
    const madeAt = this.#ports.runtime.clock.wallMs();
    // Its certificates end on one day, counted from its making.
    if (known !== undefined && madeAt - known.madeAt < DAY_MS) return known.press;
    const press = CertificatePress.create(this.#ports.authority, {
      organisation: `sefleet ${kind}`,
      clientAuth: true,
      ...this.#validity(),
      // The card issues short-lived certificates for TLS sessions: it is an authority for itself and none
      // below.
      pathLength: 0,
    });
    this.#presses.set(kind, { madeAt, press });
    return press;
  }

  #softwareCertificate(endpoint: string): Promise<Credential> {
    const request = { organisation: 'sefleet software device', clientAuth: true, ...this.#validity() };
    return issueCertificate(this.#ports.authority, { ...request, commonName: endpoint });
  }

  #validity(): { notBefore: Date; notAfter: Date } {
    const now = this.#ports.runtime.clock.wallMs();
    return {
      notBefore: new Date(now - DAY_MS),
      notAfter: new Date(now + this.#ports.certificateDays * DAY_MS),
    };
  }
}

function checkOrders(orders: readonly DeviceOrder[]): void {
  if (orders.length === 0 || orders.length > MAX_ORDERS) {
    throw provisioningError('PROVISIONING_REQUEST_INVALID', `1 to ${MAX_ORDERS} devices at a time`);
  }
  if (new Set(orders.map(({ endpoint }) => endpoint)).size < orders.length) {
    throw provisioningError('PROVISIONING_REQUEST_INVALID', 'a device is ordered twice');
  }
  for (const { endpoint, kind } of orders) {
    // RFC 5280 appendix A.1: a common name has at most 64 characters.
    if (
      isEndpointName(endpoint) &&
      // Revocations name either: a device and a party of one name would go together.
      findParty(endpoint) === undefined &&
      endpoint.length <= CERTIFICATE_BYTES_NAME_MAX &&
      DEVICE_KINDS.includes(kind)
    )
      continue;
    throw provisioningError(
      'PROVISIONING_REQUEST_INVALID',
      `${JSON.stringify(endpoint)} cannot be an endpoint name`,
      {
        hint: 'At most 64 letters, digits and : . _ -, not the name of a party; and a kind of device.',
      },
    );
  }
}

function describe({ transport, credential, bootstrap, queueMode }: Connectivity): string {
  return `${transport}, credential ${credential}, bootstrap by ${bootstrap}${queueMode ? ', queue mode' : ''}`;
}

function taken(endpoint: string): Error {
  return provisioningError(
    'PROVISIONING_DEVICE_EXISTS',
    `${endpoint} exists as a device of another make or kind`,
  );
}

function imageName(endpoint: string): string {
  return `card image ${endpoint}`;
}
