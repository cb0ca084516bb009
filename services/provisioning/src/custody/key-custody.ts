import type { GpCertificate, StaticKeys } from '@sefleet/globalplatform';
import type { KeyAction, KeyEvent, KeyState } from '../domain/key-life-cycle.ts';
import type { PartyId } from '../domain/party.ts';
import type { Sealer } from './key-engine.ts';

/** What a master key is for; every purpose has versions of its own, from 1. */
export type MasterPurpose =
  /** SCP03 keys of the Issuer Security Domains, one generation a version. */
  | 'issuer-domain'
  /** SCP03 keys of the party's own Security Domains, one generation a version. */
  | 'domain'
  /** Keys that records are sealed with. */
  | 'record'
  /** Pre-shared keys of the devices' transport. */
  | 'psk'
  /** Keys with which cards make receipts for their issuer. */
  | 'receipt'
  /** Key agreement keys of the Controlling Authority's domains on cards. */
  | 'agreement';

/** Every purpose: masters, and the key that a party signs with. */
export type KeyPurpose = MasterPurpose | 'signing';

/** What a key is, without the key. */
export interface KeyRecord {
  readonly purpose: KeyPurpose;
  readonly version: number;
  readonly state: KeyState;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** When it has to be replaced, milliseconds since 1970; undefined for never. */
  readonly expiresAt: number | undefined;
  /** First bytes of a digest: tells keys apart without saying anything about them. */
  readonly fingerprint: string;
}

/**
 * The secrets of one party. Master keys never leave: the vault derives, signs and agrees inside, as a PKCS#11
 * token would. `record` masters are the exception, for the one who opens records on the party's behalf.
 */
export interface PartyVault {
  readonly party: PartyId;
  /** The master key of `purpose` and `version`, made now unless it exists. */
  ensureMaster(purpose: MasterPurpose, version: number): Promise<KeyRecord>;
  /** ENC, MAC and DEK of one card by KDF3. */
  diversify(
    purpose: 'issuer-domain' | 'domain',
    version: number,
    diversification: Uint8Array,
  ): Promise<StaticKeys>;
  /** `length` (at most 32) bytes that are bound to `label`: HMAC-SHA256 under the master. */
  derive(purpose: MasterPurpose, version: number, label: string, length: number): Promise<Uint8Array>;
  /** The record key of one device, from the `record` master of `version`. */
  recordKey(version: number, endpoint: string): Promise<Uint8Array>;
  /** The master itself; only for `record`. */
  release(purpose: MasterPurpose, version: number): Promise<Uint8Array>;
  /** ECDSA P-256 / SHA-256 under the party's signing key, `r ‖ s`; the key is made when first used. */
  sign(data: Uint8Array): Promise<Uint8Array>;
  /** A GlobalPlatform certificate under the party's signing key. */
  certify(certificate: GpCertificate): Promise<Uint8Array>;
  /** The public half of the signing key, SubjectPublicKeyInfo (DER). */
  signingPublicKey(): Promise<Uint8Array>;
  /** Keeps a secret that was agreed for one device; a name is written over. */
  keep(name: string, secret: Uint8Array): Promise<void>;
  recall(name: string): Promise<Uint8Array | undefined>;
  forget(name: string): Promise<void>;
  /** Moves a key along its life cycle; a destroyed key's bytes are gone. */
  changeState(purpose: KeyPurpose, version: number, action: KeyAction, reason: string): Promise<KeyRecord>;
  keys(): Promise<readonly KeyRecord[]>;
  history(purpose: KeyPurpose, version: number): Promise<readonly KeyEvent[]>;
}

/** The newest version of a purpose that is in use; undefined when there is none. */
export async function newestVersion(vault: PartyVault, purpose: MasterPurpose): Promise<number | undefined> {
  const versions = (await vault.keys())
    .filter((key) => key.purpose === purpose && key.state === 'active')
    .map(({ version }) => version);
  return versions.length === 0 ? undefined : Math.max(...versions);
}

/** The vaults of all parties, each closed to the others. */
export interface KeyCustody {
  vault(party: PartyId): PartyVault;
  /** Seals card images at rest: a card's keys are in its image. */
  readonly images: Sealer;
  close(): void;
}
