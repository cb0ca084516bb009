import { X509Certificate } from 'node:crypto';
import { toHex } from '@sefleet/bytes';
import type { EventLog } from '@sefleet/observability';
import { createRevocationList, normalSerialNumber, type Credential } from '@sefleet/pki';
import type { Clock } from '@sefleet/runtime';
import { allParties, findParty } from '../domain/party.ts';
import { provisioningError } from '../errors.ts';
import { PROVISIONING_EVENTS } from '../events.ts';
import type { PartyStore, Revocation } from '../store/party-store.ts';
import type { ProvisioningStore } from '../store/provisioning-store.ts';
import { supplierSerialNumber } from '../switch/agreement.ts';

/** What the office works with. */
export interface RevocationOfficePorts {
  readonly parties: PartyStore;
  readonly store: ProvisioningStore;
  /** Signs the list. */
  readonly authority: Credential;
  readonly clock: Clock;
  readonly log: EventLog;
}

const DAY_MS = 86_400_000;
/** A list is good for a week and made anew every day, so that a server may miss some. */
const LIST_VALIDITY_MS = 7 * DAY_MS;
const LIST_AGE_MS = DAY_MS;
const REASON_MAX = 200;
/** The serial number of a certificate that is presented to cards, which X.509 lists do not carry. */
const CARD_FORM = 'card-';

/** Revokes certificates, for good, and tells who asks which do not count any more. */
export class RevocationOffice {
  readonly #ports: RevocationOfficePorts;
  readonly #serials = new Set<string>();
  readonly #subjects = new Set<string>();
  #list: { readonly der: Uint8Array; readonly madeAt: number } | undefined;

  private constructor(ports: RevocationOfficePorts) {
    this.#ports = ports;
  }

  static async open(ports: RevocationOfficePorts): Promise<RevocationOffice> {
    const office = new RevocationOffice(ports);
    for (const revocation of await ports.parties.revocations()) office.#remember(revocation);
    return office;
  }

  /** True for a certificate of our authority that was revoked, by its serial number in hexadecimal. */
  isRevoked(serialNumber: string): boolean {
    return this.#serials.has(normalSerialNumber(serialNumber));
  }

  /** True for a party or an endpoint whose certificates were revoked. */
  isOut(subject: string): boolean {
    return this.#subjects.has(subject);
  }

  /** Remembers the certificate of a device that has no card of ours. */
  async issued(endpoint: string, certificatePem: string): Promise<void> {
    const { raw, serialNumber, validFromDate, validToDate } = new X509Certificate(certificatePem);
    await this.#ports.parties.addCertificate({
      serialNumber: normalSerialNumber(serialNumber),
      subject: endpoint,
      use: 'device',
      der: raw,
      issuedAt: validFromDate.getTime(),
      expiresAt: validToDate.getTime(),
    });
  }

  /** Takes a device out: its certificates, and whatever else it could present. */
  async revokeDevice(endpoint: string, reason: string): Promise<readonly string[]> {
    const { store, parties } = this.#ports;
    if (!(await store.devices([endpoint])).has(endpoint)) {
      throw provisioningError('PROVISIONING_DEVICE_NOT_FOUND', `no device ${endpoint}`);
    }
    const [own] = (await store.cards([endpoint])).get(endpoint)?.certificateChain ?? [];
    const issued = await parties.certificates(endpoint);
    const serials = issued.map(({ serialNumber }) => serialNumber);
    if (own !== undefined) serials.push(new X509Certificate(own).serialNumber);
    // A device that has no certificate is out by its name.
    return this.#revoke(endpoint, serials.length === 0 ? [`name-${endpoint}`] : serials, reason);
  }

  /** Takes a party out: its certificates for services and for evidence, and the one that cards accept. */
  async revokeParty(name: string, reason: string): Promise<readonly string[]> {
    const party = findParty(name);
    if (party === undefined) {
      throw provisioningError('PROVISIONING_STAKEHOLDER_NOT_FOUND', `nobody is called ${name}`);
    }
    const issued = await this.#ports.parties.certificates(party.id);
    const serials = issued.map(({ serialNumber }) => serialNumber);
    const onCards = CARD_FORM + toHex(supplierSerialNumber(party.id));
    return this.#revoke(party.id, [...serials, onCards], reason);
  }

  revocations(): Promise<readonly Revocation[]> {
    return this.#ports.parties.revocations();
  }

  /** The list that the authority signs, DER. */
  async list(): Promise<Uint8Array> {
    const { clock, parties, authority } = this.#ports;
    const now = clock.wallMs();
    if (this.#list !== undefined && now - this.#list.madeAt < LIST_AGE_MS) return this.#list.der;
    const revoked = (await parties.revocations())
      .filter(({ serialNumber }) => /^[0-9a-f]+$/.test(serialNumber))
      .map(({ serialNumber, revokedAt }) => ({ serialNumber, revokedAt: new Date(revokedAt) }));
    const dates = { thisUpdate: new Date(now), nextUpdate: new Date(now + LIST_VALIDITY_MS) };
    const der = await createRevocationList(authority, { number: Math.round(now), ...dates, revoked });
    this.#list = { der, madeAt: now };
    return der;
  }

  /**
   * Whom cards have to let in, and a number that grows whenever that changes; 0 while nobody was taken
   * out and cards need no list.
   */
  cardList(): { readonly revision: number; readonly serialNumbers: readonly Uint8Array[] } {
    const providers = allParties().filter(({ roles }) => roles.includes('service-provider'));
    const allowed = providers.filter(({ id }) => !this.#subjects.has(id));
    const out = providers.length - allowed.length;
    const serialNumbers = allowed.map(({ id }) => supplierSerialNumber(id));
    return { revision: out === 0 ? 0 : out + providers.length, serialNumbers };
  }

  async #revoke(subject: string, serials: readonly string[], reason: string): Promise<readonly string[]> {
    if (reason === '' || reason.length > REASON_MAX) {
      throw provisioningError('PROVISIONING_REQUEST_INVALID', 'a reason of 1 to 200 characters is needed');
    }
    const revokedAt = this.#ports.clock.wallMs();
    const revocations = serials.map((serial) => {
      const serialNumber = /^[0-9a-fA-F]+$/.test(serial) ? normalSerialNumber(serial) : serial;
      return { serialNumber, subject, revokedAt, reason };
    });
    await this.#ports.parties.revoke(revocations);
    for (const revocation of revocations) this.#remember(revocation);
    this.#list = undefined;
    this.#ports.log.emit(PROVISIONING_EVENTS.certificateRevoked, { subject, certificates: serials.length });
    return revocations.map(({ serialNumber }) => serialNumber);
  }

  #remember({ serialNumber, subject }: Revocation): void {
    this.#serials.add(serialNumber);
    this.#subjects.add(subject);
  }
}
