import { X509Certificate } from 'node:crypto';
import { issueCertificate, type Credential } from '@sefleet/pki';
import type { Clock } from '@sefleet/runtime';
import type { KeyCustody } from '../custody/key-custody.ts';
import { findParty, type PartyId } from '../domain/party.ts';
import type { IssuedCertificate, PartyStore } from '../store/party-store.ts';

const DAY_MS = 86_400_000;
const CERTIFICATE_DAYS = 397;

/**
 * The parties' certificates over the signing keys in their vaults: issued when first asked for, kept, and
 * issued anew before they expire. One that was revoked stays the party's last.
 */
export class PartyRegistry {
  readonly #custody: KeyCustody;
  readonly #authority: Credential;
  readonly #clock: Clock;
  readonly #store: Pick<PartyStore, 'certificates' | 'addCertificate' | 'revocations'> | undefined;
  readonly #current = new Map<PartyId, Promise<IssuedCertificate>>();

  /** @param store Where certificates are kept; without it they live as long as the process. */
  constructor(
    custody: KeyCustody,
    authority: Credential,
    clock: Clock,
    store?: Pick<PartyStore, 'certificates' | 'addCertificate' | 'revocations'>,
  ) {
    this.#custody = custody;
    this.#authority = authority;
    this.#clock = clock;
    this.#store = store;
  }

  /** The certificate of a party, DER. */
  async certificate(party: PartyId): Promise<Uint8Array> {
    const known = this.#current.get(party);
    if (known !== undefined) return (await known).der;
    const found = this.#find(party).then((kept) => kept ?? this.#issue(party));
    this.#current.set(party, found);
    found.catch(() => this.#current.delete(party));
    return (await found).der;
  }

  /** Issues a party's certificate anew when it ends within `leadMs`; a party without one stays without. */
  async renew(party: PartyId, leadMs: number): Promise<void> {
    const current = await (this.#current.get(party) ?? this.#find(party));
    if (current === undefined || current.expiresAt - leadMs > this.#clock.wallMs()) return;
    const revocations = (await this.#store?.revocations()) ?? [];
    if (revocations.some(({ subject }) => subject === party)) return;
    const issued = await this.#issue(party);
    this.#current.set(party, Promise.resolve(issued));
  }

  /** The newest that has not expired. */
  async #find(party: PartyId): Promise<IssuedCertificate | undefined> {
    if (this.#store === undefined) return undefined;
    const kept = await this.#store.certificates(party);
    const now = this.#clock.wallMs();
    return kept.findLast(({ use, expiresAt }) => use === 'signing' && expiresAt > now);
  }

  async #issue(party: PartyId): Promise<IssuedCertificate> {
    const issuedAt = this.#clock.wallMs();
    const expiresAt = issuedAt + CERTIFICATE_DAYS * DAY_MS;
    const { certificatePem } = await issueCertificate(this.#authority, {
      commonName: party,
      organisation: findParty(party)?.name ?? party,
      notBefore: new Date(issuedAt - DAY_MS),
      notAfter: new Date(expiresAt),
      subjectPublicKey: await this.#custody.vault(party).signingPublicKey(),
    });
    const { raw: der, serialNumber } = new X509Certificate(certificatePem);
    const issued: IssuedCertificate = {
      serialNumber: serialNumber.toLowerCase(),
      subject: party,
      use: 'signing',
      der,
      issuedAt,
      expiresAt,
    };
    await this.#store?.addCertificate(issued);
    return issued;
  }
}
