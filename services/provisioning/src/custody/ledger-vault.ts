import { createHash } from 'node:crypto';
import { deriveRecordKey } from '@sefleet/cose';
import {
  diversifyKdf3With,
  encodeCertificateWith,
  type GpCertificate,
  type StaticKeys,
} from '@sefleet/globalplatform';
import { nextKeyState, type KeyAction, type KeyEvent } from '../domain/key-life-cycle.ts';
import type { PartyId } from '../domain/party.ts';
import { provisioningError } from '../errors.ts';
import type { KeyPurpose, KeyRecord, MasterPurpose, PartyVault } from './key-custody.ts';
import type { HeldKey, KeyEngine, KeyUse } from './key-engine.ts';
import type { KeyLedger } from './key-ledger.ts';

const USES: Readonly<Record<KeyPurpose, KeyUse>> = {
  'issuer-domain': 'aes-cmac',
  domain: 'aes-cmac',
  record: 'opened',
  psk: 'hmac-sha256',
  receipt: 'hmac-sha256',
  agreement: 'hmac-sha256',
  signing: 'ecdsa-p256',
};
/** Purposes whose keys can be replaced in the field, and so may have an end. */
const RENEWED: ReadonlySet<KeyPurpose> = new Set(['domain', 'record']);
const MASTER_BYTES = 16;
const DERIVED_BYTES_MAX = 32;
const FINGERPRINT_BYTES = 6;
const SIGNING_VERSION = 1;
const FINGERPRINT_INPUT = Buffer.from('sefleet fingerprint');

/**
 * The vault of one party: the rules of keys' lives, whatever makes and uses the keys. The ledger remembers,
 * the engine acts.
 */
export class LedgerVault implements PartyVault {
  readonly party: PartyId;
  readonly #ledger: KeyLedger;
  readonly #engine: KeyEngine;
  readonly #validityMs: number | undefined;
  readonly #held = new Map<string, HeldKey>();

  /** @param validityMs How long keys that can be renewed live from their making; undefined for ever. */
  constructor(party: PartyId, ledger: KeyLedger, engine: KeyEngine, validityMs: number | undefined) {
    this.party = party;
    this.#ledger = ledger;
    this.#engine = engine;
    this.#validityMs = validityMs;
  }

  async ensureMaster(purpose: MasterPurpose, version: number): Promise<KeyRecord> {
    return this.#ledger.find(purpose, version) ?? this.#create(purpose, version);
  }

  async diversify(
    purpose: 'issuer-domain' | 'domain',
    version: number,
    diversification: Uint8Array,
  ): Promise<StaticKeys> {
    const master = this.#key(purpose, version);
    return diversifyKdf3With((input) => this.#engine.cmac(master, input), MASTER_BYTES, diversification);
  }

  async derive(purpose: MasterPurpose, version: number, label: string, length: number): Promise<Uint8Array> {
    const key = this.#key(purpose, version);
    if (key.use !== 'hmac-sha256' || length > DERIVED_BYTES_MAX) {
      throw provisioningError('CUSTODY_USE_FORBIDDEN', `nothing is derived from a ${purpose} key like this`);
    }
    return this.#engine.hmac(key, Buffer.from(label)).subarray(0, length);
  }

  async recordKey(version: number, endpoint: string): Promise<Uint8Array> {
    return deriveRecordKey(this.#engine.open(this.#key('record', version)), endpoint);
  }

  async release(purpose: MasterPurpose, version: number): Promise<Uint8Array> {
    if (purpose !== 'record') {
      throw provisioningError(
        'CUSTODY_RELEASE_FORBIDDEN',
        `a ${purpose} key never leaves the vault of ${this.party}`,
      );
    }
    return Uint8Array.from(this.#engine.open(this.#key(purpose, version)));
  }

  async sign(data: Uint8Array): Promise<Uint8Array> {
    return this.#engine.sign(this.#signingKey(), data);
  }

  certify(certificate: GpCertificate): Promise<Uint8Array> {
    return encodeCertificateWith(certificate, (signed) => this.sign(signed));
  }

  async signingPublicKey(): Promise<Uint8Array> {
    return this.#engine.publicKey(this.#signingKey());
  }

  async keep(name: string, secret: Uint8Array): Promise<void> {
    await this.#ledger.keepSecret(name, this.#engine.sealer.seal(`secret ${name}`, secret));
  }

  async recall(name: string): Promise<Uint8Array | undefined> {
    const sealed = this.#ledger.secret(name);
    return sealed === undefined ? undefined : this.#engine.sealer.open(`secret ${name}`, sealed);
  }

  async forget(name: string): Promise<void> {
    await this.#ledger.dropSecret(name);
  }

  async changeState(
    purpose: KeyPurpose,
    version: number,
    action: KeyAction,
    reason: string,
  ): Promise<KeyRecord> {
    const record = this.#required(purpose, version);
    const to = nextKeyState(record.state, action);
    const name = keyName(purpose, version);
    if (to === undefined) {
      const message = `${name} of ${this.party} is ${record.state}: it cannot ${action}`;
      throw provisioningError('CUSTODY_KEY_STATE_PRECONDITION', message);
    }
    // The key goes first: a power cut in between leaves a ledger that says less than is true, never more.
    if (to === 'destroyed') this.#engine.destroy(name);
    this.#ledger.change(record, to, reason);
    this.#engine.release(name);
    this.#held.delete(name);
    return { ...record, state: to };
  }

  async keys(): Promise<readonly KeyRecord[]> {
    return this.#ledger.list();
  }

  async history(purpose: KeyPurpose, version: number): Promise<readonly KeyEvent[]> {
    this.#required(purpose, version);
    return this.#ledger.history(purpose, version);
  }

  #create(purpose: KeyPurpose, version: number): KeyRecord {
    const name = keyName(purpose, version);
    const sealed = this.#engine.create(name, USES[purpose]);
    const key: HeldKey = { name, use: USES[purpose], sealed };
    const createdAt = this.#ledger.now();
    const validityMs = this.#validityMs;
    const record: KeyRecord = {
      purpose,
      version,
      state: 'active',
      createdAt,
      expiresAt: RENEWED.has(purpose) && validityMs !== undefined ? createdAt + validityMs : undefined,
      fingerprint: this.#fingerprint(key),
    };
    this.#ledger.add(record, sealed);
    this.#held.set(name, key);
    return record;
  }

  /** First bytes of a digest that needs the key and tells nothing of it. */
  #fingerprint(key: HeldKey): string {
    const { party } = this;
    const digest = createHash('sha256').update(`${party} ${key.name}`).update(this.#proof(key)).digest();
    return digest.toString('hex', 0, FINGERPRINT_BYTES);
  }

  #proof(key: HeldKey): Uint8Array {
    switch (key.use) {
      case 'aes-cmac':
        return this.#engine.cmac(key, FINGERPRINT_INPUT);
      case 'hmac-sha256':
        return this.#engine.hmac(key, FINGERPRINT_INPUT);
      case 'ecdsa-p256':
        return this.#engine.publicKey(key);
      case 'opened':
        return this.#engine.open(key);
    }
  }

  /** The key, when it may be used now. */
  #key(purpose: KeyPurpose, version: number): HeldKey {
    const name = keyName(purpose, version);
    const held = this.#held.get(name);
    if (held !== undefined) return held;
    const { state } = this.#required(purpose, version);
    if (state !== 'active') {
      throw provisioningError('CUSTODY_KEY_STATE_PRECONDITION', `${name} of ${this.party} is ${state}`);
    }
    const key: HeldKey = { name, use: USES[purpose], sealed: this.#ledger.sealed(purpose, version) };
    this.#held.set(name, key);
    return key;
  }

  #signingKey(): HeldKey {
    if (this.#ledger.find('signing', SIGNING_VERSION) === undefined) this.#create('signing', SIGNING_VERSION);
    return this.#key('signing', SIGNING_VERSION);
  }

  #required(purpose: KeyPurpose, version: number): KeyRecord {
    const record = this.#ledger.find(purpose, version);
    if (record !== undefined) return record;
    throw provisioningError('CUSTODY_KEY_NOT_FOUND', `${this.party} has no ${keyName(purpose, version)}`);
  }
}

function keyName(purpose: KeyPurpose, version: number): string {
  return `${purpose} key ${version}`;
}
