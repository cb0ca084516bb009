import { X509Certificate } from 'node:crypto';
import { issueCertificate, type Credential } from '@sefleet/pki';
import type { Clock } from '@sefleet/runtime';
import type { KeyCustody } from '../custody/key-custody.ts';
import { findParty, type PartyId } from '../domain/party.ts';

const DAY_MS = 86_400_000;
const CERTIFICATE_DAYS = 397;

/** The parties' certificates, over the signing keys in their vaults, issued when first asked for. */
export class PartyRegistry {
  readonly #custody: KeyCustody;
  readonly #authority: Credential;
  readonly #clock: Clock;
  readonly #certificates = new Map<PartyId, Promise<Uint8Array>>();

  constructor(custody: KeyCustody, authority: Credential, clock: Clock) {
    this.#custody = custody;
    this.#authority = authority;
    this.#clock = clock;
  }

  /** The certificate of a party, DER. */
  certificate(party: PartyId): Promise<Uint8Array> {
    const known = this.#certificates.get(party);
    if (known !== undefined) return known;
    const issued = this.#issue(party);
    this.#certificates.set(party, issued);
    return issued;
  }

  async #issue(party: PartyId): Promise<Uint8Array> {
    const now = this.#clock.wallMs();
    const { certificatePem } = await issueCertificate(this.#authority, {
      commonName: party,
      organisation: findParty(party)?.name ?? party,
      notBefore: new Date(now - DAY_MS),
      notAfter: new Date(now + CERTIFICATE_DAYS * DAY_MS),
      subjectPublicKey: await this.#custody.vault(party).signingPublicKey(),
    });
    return new X509Certificate(certificatePem).raw;
  }
}
