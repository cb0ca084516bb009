import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  type KeyObject,
} from 'node:crypto';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { deriveRecordKey } from '@sefleet/cose';
import {
  diversifyKdf3,
  encodeCertificate,
  type GpCertificate,
  type StaticKeys,
} from '@sefleet/globalplatform';
import type { Clock } from '@sefleet/runtime';
import { nextKeyState, type KeyAction, type KeyEvent, type KeyState } from '../domain/key-life-cycle.ts';
import type { PartyId } from '../domain/party.ts';
import { provisioningError } from '../errors.ts';
import { inTransaction } from '../store/open-database.ts';
import type { KeyRecord, MasterPurpose, PartyVault } from './key-custody.ts';
import type { Seal } from './sealing.ts';

/** The schema of a vault file. */
export const VAULT_MIGRATIONS: readonly string[] = [
  `CREATE TABLE keys (purpose TEXT NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL, created_at INTEGER NOT NULL,
     fingerprint TEXT NOT NULL, sealed BLOB, PRIMARY KEY (purpose, version)) STRICT;
   CREATE TABLE key_events (purpose TEXT NOT NULL, version INTEGER NOT NULL, at INTEGER NOT NULL, from_state TEXT,
     to_state TEXT NOT NULL, reason TEXT NOT NULL) STRICT;
   CREATE TABLE secrets (name TEXT PRIMARY KEY, sealed BLOB NOT NULL) STRICT;`,
];

type Purpose = KeyRecord['purpose'];

const MASTER_BYTES = 16;
const DERIVATION_MASTER_BYTES = 32;
const DERIVES: ReadonlySet<MasterPurpose> = new Set(['psk', 'receipt', 'agreement']);
const FINGERPRINT_BYTES = 6;
const SIGNING_VERSION = 1;

/**
 * A vault in a SQLite file of its own, each secret sealed with the party's seal. Opened masters stay in
 * memory.
 */
export class SoftwareVault implements PartyVault {
  readonly party: PartyId;
  readonly #database: DatabaseSync;
  readonly #seal: Seal;
  readonly #clock: Clock;
  readonly #open = new Map<string, Uint8Array>();
  readonly #find: StatementSync;
  #signing: KeyObject | undefined;

  constructor(party: PartyId, database: DatabaseSync, seal: Seal, clock: Clock) {
    this.party = party;
    this.#database = database;
    this.#seal = seal;
    this.#clock = clock;
    this.#find = database.prepare('SELECT * FROM keys WHERE purpose = ? AND version = ?');
  }

  async ensureMaster(purpose: MasterPurpose, version: number): Promise<KeyRecord> {
    const length = DERIVES.has(purpose) ? DERIVATION_MASTER_BYTES : MASTER_BYTES;
    return this.#record(purpose, version) ?? this.#create(purpose, version, randomBytes(length));
  }

  async diversify(
    purpose: 'issuer-domain' | 'domain',
    version: number,
    diversification: Uint8Array,
  ): Promise<StaticKeys> {
    return diversifyKdf3(this.#master(purpose, version), diversification);
  }

  async derive(purpose: MasterPurpose, version: number, label: string, length: number): Promise<Uint8Array> {
    return createHmac('sha256', this.#master(purpose, version)).update(label).digest().subarray(0, length);
  }

  async recordKey(version: number, endpoint: string): Promise<Uint8Array> {
    return deriveRecordKey(this.#master('record', version), endpoint);
  }

  async release(purpose: MasterPurpose, version: number): Promise<Uint8Array> {
    if (purpose !== 'record') {
      throw provisioningError(
        'CUSTODY_RELEASE_FORBIDDEN',
        `a ${purpose} key never leaves the vault of ${this.party}`,
      );
    }
    return Uint8Array.from(this.#master(purpose, version));
  }

  async sign(data: Uint8Array): Promise<Uint8Array> {
    return sign('sha256', data, { key: this.#signingKey(), dsaEncoding: 'ieee-p1363' });
  }

  async certify(certificate: GpCertificate): Promise<Uint8Array> {
    return encodeCertificate(certificate, this.#signingKey());
  }

  async signingPublicKey(): Promise<Uint8Array> {
    return createPublicKey(this.#signingKey()).export({ type: 'spki', format: 'der' });
  }

  async keep(name: string, secret: Uint8Array): Promise<void> {
    const sealed = this.#seal.seal(`secret ${name}`, secret);
    this.#database.prepare('INSERT OR REPLACE INTO secrets (name, sealed) VALUES (?, ?)').run(name, sealed);
  }

  async recall(name: string): Promise<Uint8Array | undefined> {
    const row = this.#database.prepare('SELECT sealed FROM secrets WHERE name = ?').get(name);
    const sealed = row?.['sealed'];
    return sealed instanceof Uint8Array ? this.#seal.open(`secret ${name}`, sealed) : undefined;
  }

  async forget(name: string): Promise<void> {
    this.#database.prepare('DELETE FROM secrets WHERE name = ?').run(name);
  }

  async changeState(
    purpose: MasterPurpose,
    version: number,
    action: KeyAction,
    reason: string,
  ): Promise<KeyRecord> {
    const record = this.#required(purpose, version);
    const to = nextKeyState(record.state, action);
    if (to === undefined) {
      const message = `${keyName(purpose, version)} of ${this.party} is ${record.state}: it cannot ${action}`;
      throw provisioningError('CUSTODY_KEY_STATE_PRECONDITION', message);
    }
    inTransaction(this.#database, () => {
      this.#database
        .prepare(
          `UPDATE keys SET state = ?${to === 'destroyed' ? ', sealed = NULL' : ''} WHERE purpose = ? AND version = ?`,
        )
        .run(to, purpose, version);
      this.#remember(purpose, version, record.state, to, reason);
    });
    this.#open.get(keyName(purpose, version))?.fill(0);
    this.#open.delete(keyName(purpose, version));
    return { ...record, state: to };
  }

  async keys(): Promise<readonly KeyRecord[]> {
    return this.#database.prepare('SELECT * FROM keys ORDER BY purpose, version').all().map(toRecord);
  }

  async history(purpose: MasterPurpose, version: number): Promise<readonly KeyEvent[]> {
    return this.#database
      .prepare('SELECT * FROM key_events WHERE purpose = ? AND version = ? ORDER BY rowid')
      .all(purpose, version)
      .map((row) => ({
        at: Number(row['at']),
        from: row['from_state'] === null ? undefined : keyState(row['from_state']),
        to: keyState(row['to_state']),
        reason: String(row['reason']),
      }));
  }

  #create(purpose: Purpose, version: number, secret: Uint8Array): KeyRecord {
    const digest = createHash('sha256')
      .update(`${this.party} ${keyName(purpose, version)}`)
      .update(secret)
      .digest();
    const record: KeyRecord = {
      purpose,
      version,
      state: 'active',
      createdAt: this.#clock.wallMs(),
      fingerprint: digest.toString('hex', 0, FINGERPRINT_BYTES),
    };
    inTransaction(this.#database, () => {
      this.#database
        .prepare('INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?)')
        .run(
          purpose,
          version,
          record.state,
          record.createdAt,
          record.fingerprint,
          this.#seal.seal(keyName(purpose, version), secret),
        );
      this.#remember(purpose, version, undefined, 'initialised', 'made in the vault');
      this.#remember(purpose, version, 'initialised', 'active', 'taken into use');
    });
    this.#open.set(keyName(purpose, version), Uint8Array.from(secret));
    return record;
  }

  #remember(
    purpose: Purpose,
    version: number,
    from: KeyState | undefined,
    to: KeyState,
    reason: string,
  ): void {
    this.#database
      .prepare('INSERT INTO key_events VALUES (?, ?, ?, ?, ?, ?)')
      .run(purpose, version, this.#clock.wallMs(), from ?? null, to, reason);
  }

  #master(purpose: Purpose, version: number): Uint8Array {
    const name = keyName(purpose, version);
    const open = this.#open.get(name);
    if (open !== undefined) return open;
    const { state } = this.#required(purpose, version);
    const sealed = this.#find.get(purpose, version)?.['sealed'];
    if (state !== 'active' || !(sealed instanceof Uint8Array)) {
      throw provisioningError('CUSTODY_KEY_STATE_PRECONDITION', `${name} of ${this.party} is ${state}`);
    }
    const secret = this.#seal.open(name, sealed);
    this.#open.set(name, secret);
    return secret;
  }

  #signingKey(): KeyObject {
    this.#signing ??= this.#loadSigningKey();
    return this.#signing;
  }

  #loadSigningKey(): KeyObject {
    if (this.#record('signing', SIGNING_VERSION) === undefined) {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      this.#create('signing', SIGNING_VERSION, privateKey.export({ type: 'pkcs8', format: 'der' }));
    }
    const key = Buffer.from(this.#master('signing', SIGNING_VERSION));
    return createPrivateKey({ key, type: 'pkcs8', format: 'der' });
  }

  #record(purpose: Purpose, version: number): KeyRecord | undefined {
    const row = this.#find.get(purpose, version);
    return row === undefined ? undefined : toRecord(row);
  }

  #required(purpose: Purpose, version: number): KeyRecord {
    const record = this.#record(purpose, version);
    if (record !== undefined) return record;
    throw provisioningError('CUSTODY_KEY_NOT_FOUND', `${this.party} has no ${keyName(purpose, version)}`);
  }
}

function keyName(purpose: Purpose, version: number): string {
  return `${purpose} key ${version}`;
}

function toRecord(row: Readonly<Record<string, unknown>>): KeyRecord {
  return {
    // What this file wrote, it may believe.
    purpose: String(row['purpose']) as Purpose,
    version: Number(row['version']),
    state: keyState(row['state']),
    createdAt: Number(row['created_at']),
    fingerprint: String(row['fingerprint']),
  };
}

function keyState(value: unknown): KeyState {
  // What this file wrote, it may believe.
  return String(value) as KeyState;
}
