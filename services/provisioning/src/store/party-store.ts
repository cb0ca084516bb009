import type { Contract } from '../domain/contract.ts';
import type { Party } from '../domain/party.ts';

/** A call that was refused. */
export interface Refusal {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly caller: string;
  readonly operation: string;
  /** Whose or which: a party or an endpoint. */
  readonly subject: string;
}

/** A certificate that somebody was given here. */
export interface IssuedCertificate {
  /** Lower-case hexadecimal. */
  readonly serialNumber: string;
  /** Party or endpoint. */
  readonly subject: string;
  /** `client`: a party calls services with it; `signing`: over the key in its vault; `device`: a device's. */
  readonly use: 'client' | 'signing' | 'device';
  readonly der: Uint8Array;
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** A certificate that no longer counts. */
export interface Revocation {
  readonly serialNumber: string;
  /** Endpoint or party. */
  readonly subject: string;
  readonly revokedAt: number;
  readonly reason: string;
}

/** Parties, contracts, certificates and refusals. */
export interface PartyStore {
  /** Those who came after the beginning. */
  parties(): Promise<readonly Party[]>;
  addParty(party: Party): Promise<void>;
  contracts(): Promise<readonly Contract[]>;
  /** Writes a contract down, or writes over the one with its id. */
  putContract(contract: Contract): Promise<void>;
  certificates(subject: string): Promise<readonly IssuedCertificate[]>;
  addCertificate(certificate: IssuedCertificate): Promise<void>;
  revocations(): Promise<readonly Revocation[]>;
  /** All or none; certificates that are revoked already stay as they are. */
  revoke(revocations: readonly Revocation[]): Promise<void>;
  /** Cards that hold this revision of the list of allowed providers. */
  cardsAt(revision: number): Promise<ReadonlySet<string>>;
  putCardRevision(endpoint: string, revision: number): Promise<void>;
  addRefusal(refusal: Refusal): Promise<void>;
  /** The newest first. */
  refusals(limit: number): Promise<readonly Refusal[]>;
  close(): Promise<void>;
}
