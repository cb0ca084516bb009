import { X509Certificate } from 'node:crypto';
import { isSefleetError } from '@sefleet/errors';
import { issueCertificate, type Credential } from '@sefleet/pki';
import type { Clock } from '@sefleet/runtime';
import { SERVICE_ORGANISATION } from '@sefleet/service';
import { rolesFor, type Contract, type HeldRole } from '../domain/contract.ts';
import {
  admitParty,
  allParties,
  findParty,
  partyId,
  PARTY_NAME,
  PARTY_ROLES,
  RESERVED_NAMES,
  type Party,
  type PartyRole,
} from '../domain/party.ts';
import { provisioningError } from '../errors.ts';
import type { PartyStore } from '../store/party-store.ts';
import type { ProvisioningStore } from '../store/provisioning-store.ts';

/** What the office works with. */
export interface PartyOfficePorts {
  readonly parties: PartyStore;
  readonly store: ProvisioningStore;
  /** Signs the certificates with which parties call. */
  readonly authority: Credential;
  readonly clock: Clock;
  /** True for a party whose certificates were revoked. */
  readonly isOut: (party: string) => boolean;
}

const FIRST_NUMBER = 0x40;
const LAST_NUMBER = 0xff;
const TEXT_MAX = 200;
const CONTRACTS_MAX = 100_000;
const DAY_MS = 86_400_000;
const CERTIFICATE_DAYS = 397;

/** Admits parties, keeps their contracts, certifies them, and says who is what for a device. */
export class PartyOffice {
  readonly #ports: PartyOfficePorts;
  /** Parties are admitted one after the other: two at once would get the same number. */
  #line: Promise<unknown> = Promise.resolve();

  private constructor(ports: PartyOfficePorts) {
    this.#ports = ports;
  }

  /** Makes the parties of the store known to this process. */
  static async open(ports: PartyOfficePorts): Promise<PartyOffice> {
    for (const party of await ports.parties.parties()) admitParty(party);
    return new PartyOffice(ports);
  }

  /** Admits a party, or finds it. */
  add(name: string, title: string, roles: readonly string[]): Promise<Party> {
    const added = this.#line.then(() => this.#add(name, title, roles));
    this.#line = added.catch(() => undefined);
    return added;
  }

  async #add(name: string, title: string, roles: readonly string[]): Promise<Party> {
    const wanted = roles.map(roleOf);
    if (
      !PARTY_NAME.test(name) ||
      RESERVED_NAMES.has(name) ||
      title.length > TEXT_MAX ||
      wanted.length === 0
    ) {
      throw invalid(
        `${JSON.stringify(name)} cannot be a party`,
        'A name of 2 to 24 small letters, digits and dashes, not that of a service; and roles.',
      );
    }
    const known = findParty(name);
    if (known !== undefined) {
      const isSame = new Set([...known.roles, ...wanted]).size === known.roles.length;
      if (isSame && wanted.length === known.roles.length) return known;
      throw provisioningError(
        'PROVISIONING_PARTY_EXISTS',
        `${name} is there and is ${known.roles.join(', ')}`,
      );
    }
    // Revocations name either: a device and a party of one name would go together.
    if ((await this.#ports.store.devices([name])).size > 0) {
      throw provisioningError('PROVISIONING_PARTY_EXISTS', `a device is called ${name}`);
    }
    const party = {
      id: partyId(name),
      name: title === '' ? name : title,
      roles: wanted,
      number: nextNumber(),
    };
    await this.#ports.parties.addParty(party);
    admitParty(party);
    return party;
  }

  /**
   * Certifies the key with which a party calls the services.
   *
   * @param publicKey SubjectPublicKeyInfo of a P-256 key, DER.
   */
  async certify(name: string, publicKey: Uint8Array): Promise<X509Certificate> {
    const party = findParty(name);
    if (party === undefined)
      throw provisioningError('PROVISIONING_STAKEHOLDER_NOT_FOUND', `nobody is called ${name}`);
    if (this.#ports.isOut(party.id)) {
      throw provisioningError('PROVISIONING_PARTY_REVOKED', `${name} gets no certificate any more`);
    }
    const { authority, clock, parties } = this.#ports;
    const now = clock.wallMs();
    const certificate = await certificateOver(authority, publicKey, party.id, now);
    await parties.addCertificate({
      serialNumber: certificate.serialNumber.toLowerCase(),
      subject: party.id,
      use: 'client',
      der: certificate.raw,
      issuedAt: now,
      expiresAt: now + CERTIFICATE_DAYS * DAY_MS,
    });
    return certificate;
  }

  /** Writes a contract down; the same one again changes nothing. */
  async addContract(contract: Contract): Promise<Contract> {
    await this.#check(contract);
    const contracts = await this.#ports.parties.contracts();
    const known = contracts.find(({ contractId }) => contractId === contract.contractId);
    if (known === undefined) {
      if (contracts.length >= CONTRACTS_MAX) throw invalid('there are too many contracts', 'End some.');
      await this.#ports.parties.putContract(contract);
      return contract;
    }
    if (JSON.stringify({ ...known, endedBecause: '' }) === JSON.stringify(contract)) return known;
    throw provisioningError('PROVISIONING_CONTRACT_CONFLICT', `${contract.contractId} says something else`);
  }

  async endContract(contractId: string, reason: string): Promise<void> {
    const { parties } = this.#ports;
    const known = (await parties.contracts()).find((contract) => contract.contractId === contractId);
    if (known === undefined)
      throw provisioningError('PROVISIONING_CONTRACT_NOT_FOUND', `no contract ${contractId}`);
    if (reason === '' || reason.length > TEXT_MAX)
      throw invalid('a reason is needed', 'At most 200 characters.');
    if (known.endedBecause === '') await parties.putContract({ ...known, endedBecause: reason });
  }

  /** The contracts of a party, or all. */
  async contracts(party: string): Promise<readonly Contract[]> {
    return (await this.#ports.parties.contracts()).filter((one) => party === '' || one.party === party);
  }

  /** Who holds which role for a device now. @throws SefleetError `PROVISIONING_DEVICE_NOT_FOUND`. */
  async rolesFor(endpoint: string): Promise<readonly HeldRole[]> {
    const { store, parties, clock } = this.#ports;
    const device = (await store.devices([endpoint])).get(endpoint);
    if (device === undefined)
      throw provisioningError('PROVISIONING_DEVICE_NOT_FOUND', `no device ${endpoint}`);
    return rolesFor(device, await store.domains(endpoint), await parties.contracts(), clock.wallMs());
  }

  async #check({
    contractId,
    party,
    role,
    subject,
    validFrom,
    validUntil,
    reference,
  }: Contract): Promise<void> {
    const isText = contractId !== '' && contractId.length <= TEXT_MAX && reference.length <= TEXT_MAX;
    if (!isText || (validUntil !== undefined && validUntil <= validFrom)) {
      throw invalid(
        'a contract needs an id, and an end after its beginning',
        'Texts have at most 200 characters.',
      );
    }
    const roles = findParty(party)?.roles;
    if (roles?.includes(role) !== true) {
      const why = roles === undefined ? `nobody is called ${party}` : `${party} is no ${role}`;
      throw provisioningError('PROVISIONING_CONTRACT_CONFLICT', why);
    }
    if ('kind' in subject) return;
    const devices = await this.#ports.store.devices([subject.endpoint]);
    if (devices.size === 0) {
      throw provisioningError('PROVISIONING_DEVICE_NOT_FOUND', `no device ${subject.endpoint}`);
    }
  }
}

/** The role of this name. @throws SefleetError `PROVISIONING_REQUEST_INVALID`. */
export function roleOf(text: string): PartyRole {
  const role = PARTY_ROLES.find((known) => known === text);
  if (role !== undefined) return role;
  throw invalid(`${JSON.stringify(text)} is no role`, `Use one of ${PARTY_ROLES.join(', ')}.`);
}

async function certificateOver(
  authority: Credential,
  subjectPublicKey: Uint8Array,
  commonName: string,
  now: number,
): Promise<X509Certificate> {
  try {
    const { certificatePem } = await issueCertificate(authority, {
      commonName,
      organisation: SERVICE_ORGANISATION,
      clientAuth: true,
      subjectPublicKey,
      notBefore: new Date(now - DAY_MS),
      notAfter: new Date(now + CERTIFICATE_DAYS * DAY_MS),
    });
    return new X509Certificate(certificatePem);
  } catch (error) {
    if (isSefleetError(error)) throw error;
    throw invalid('that is no public key', 'A SubjectPublicKeyInfo (DER) of a P-256 key.');
  }
}

function nextNumber(): number {
  const taken = new Set(allParties().map(({ number }) => number));
  for (let number = FIRST_NUMBER; number <= LAST_NUMBER; number++) if (!taken.has(number)) return number;
  throw invalid('there is no room for another party', 'At most 255 have a number in an AID.');
}

function invalid(message: string, hint: string): Error {
  return provisioningError('PROVISIONING_REQUEST_INVALID', message, { hint });
}
