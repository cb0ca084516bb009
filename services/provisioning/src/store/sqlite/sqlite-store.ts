import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Aid } from '@sefleet/globalplatform';
import type { StakeholderRole } from '../../domain/card-plan.ts';
import type { Connectivity } from '../../domain/connectivity.ts';
import { DEVICE_KINDS } from '../../domain/device-kind.ts';
import type { OwnCredential } from '../../domain/own-credential.ts';
import { partyId, type PartyId } from '../../domain/party.ts';
import {
  isRotationOver,
  type DeviceRotation,
  type Rotation,
  type RotationOutcome,
} from '../../domain/rotation.ts';
import type { RotationProgress, RotationStep } from '../../domain/rotation.ts';
import { openDatabase } from '../open-database.ts';
import type {
  Device,
  DomainState,
  HeldCredential,
  KindCount,
  MadeCard,
  ProvisioningStore,
} from '../provisioning-store.ts';
import { connectivityText, toBytes, toDevice, toDeviceRotation, toDomainState, toRotation } from './rows.ts';
import { STATE_MIGRATIONS } from './schema.ts';
import { WriteQueue } from './write-queue.ts';

const MAX_FAILURES_TOLD = 100;

/** The state in one SQLite file; `:memory:` for tests. */
export class SqliteStore implements ProvisioningStore {
  readonly #database: DatabaseSync;
  readonly #writes: WriteQueue;
  readonly #statements = new Map<string, StatementSync>();

  constructor(path: string) {
    this.#database = openDatabase(path, 'process', STATE_MIGRATIONS);
    this.#writes = new WriteQueue(this.#database);
  }

  async devices(endpoints: readonly string[]): Promise<ReadonlyMap<string, Device>> {
    const statement = this.#sql('SELECT * FROM devices WHERE endpoint = ?');
    const rows = endpoints.map((endpoint) => statement.get(endpoint)).filter((row) => row !== undefined);
    return new Map(rows.map(toDevice).map((device) => [device.endpoint, device]));
  }

  async cardEndpoints(): Promise<readonly string[]> {
    const rows = this.#sql(`SELECT endpoint FROM devices WHERE make = 'card' ORDER BY endpoint`).all();
    return rows.map((row) => String(row['endpoint']));
  }

  addSoftwareDevice(device: Device): Promise<void> {
    return this.#writes.write(() => this.#insertDevice(device));
  }

  putConnectivity(endpoint: string, connectivity: Connectivity): Promise<void> {
    const put = this.#sql('UPDATE devices SET connectivity = ? WHERE endpoint = ?');
    return this.#writes.write(() => void put.run(connectivityText(connectivity), endpoint));
  }

  async putOwnCredential(endpoint: string, { form, reference, authority }: OwnCredential): Promise<boolean> {
    let isFree = true;
    await this.#writes.write(() => {
      const holder = this.#sql('SELECT endpoint FROM own_credentials WHERE reference = ?').get(reference);
      isFree = holder === undefined || holder['endpoint'] === endpoint;
      const put = this.#sql('INSERT OR REPLACE INTO own_credentials VALUES (?, ?, ?, ?)');
      if (isFree) put.run(endpoint, form, reference, authority);
    });
    return isFree;
  }

  async ownCredentials(references: readonly string[]): Promise<readonly HeldCredential[]> {
    const find = this.#sql('SELECT * FROM own_credentials JOIN devices USING (endpoint) WHERE reference = ?');
    return references.flatMap((reference) => {
      const row = find.get(reference);
      return row === undefined
        ? []
        : [{ reference, device: toDevice(row), authority: toBytes(row['authority']) }];
    });
  }

  addCards(cards: readonly MadeCard[]): Promise<void> {
    const card = this.#sql('INSERT INTO cards VALUES (?, ?, ?)');
    const domain = this.#sql('INSERT INTO domains VALUES (?, ?, ?, ?, ?, NULL)');
    const account = this.#sql('INSERT INTO accounts VALUES (?, ?)');
    return this.#writes.write(() => {
      for (const { device, sealedImage, certificateChain, domains, accounts } of cards) {
        this.#insertDevice(device);
        const chain = certificateChain.map((der) => Buffer.from(der).toString('base64'));
        card.run(device.endpoint, sealedImage, JSON.stringify(chain));
        for (const { domain: id, role, party, generation } of domains) {
          domain.run(device.endpoint, id, role, party, generation);
        }
        for (const party of accounts) account.run(device.endpoint, party);
      }
    });
  }

  async cards(endpoints: readonly string[]): Promise<ReadonlyMap<string, MadeCard>> {
    const statement = this.#sql('SELECT * FROM devices JOIN cards USING (endpoint) WHERE endpoint = ?');
    const made = new Map<string, MadeCard>();
    for (const endpoint of endpoints) {
      const row = statement.get(endpoint);
      if (row === undefined) continue;
      const chain: readonly string[] = JSON.parse(String(row['certificate_chain']));
      made.set(endpoint, {
        device: toDevice(row),
        sealedImage: toBytes(row['sealed_image']),
        certificateChain: chain.map((text) => Buffer.from(text, 'base64')),
        domains: await this.domains(endpoint),
        accounts: await this.accounts(endpoint),
      });
    }
    return made;
  }

  async domains(endpoint: string): Promise<readonly DomainState[]> {
    return this.#sql('SELECT * FROM domains WHERE endpoint = ? ORDER BY domain')
      .all(endpoint)
      .map(toDomainState);
  }

  async domainsOf(
    endpoints: readonly string[],
    holders: ReadonlySet<string>,
  ): Promise<readonly DomainState[]> {
    const all = await Promise.all(endpoints.map((endpoint) => this.domains(endpoint)));
    return all.flat().filter(({ role, party }) => holders.has(role) || holders.has(party));
  }

  putDomain({ endpoint, domain, role, party, generation, rotatedAt }: DomainState): Promise<void> {
    const put = this.#sql('INSERT OR REPLACE INTO domains VALUES (?, ?, ?, ?, ?, ?)');
    return this.#writes.write(
      () => void put.run(endpoint, domain, role, party, generation, rotatedAt ?? null),
    );
  }

  removeDomain(endpoint: string, domain: Aid): Promise<void> {
    const remove = this.#sql('DELETE FROM domains WHERE endpoint = ? AND domain = ?');
    return this.#writes.write(() => void remove.run(endpoint, domain));
  }

  async accounts(endpoint: string): Promise<readonly PartyId[]> {
    return this.#sql('SELECT party FROM accounts WHERE endpoint = ? ORDER BY party')
      .all(endpoint)
      .map(({ party }) => partyId(String(party)));
  }

  openAccount(endpoint: string, party: PartyId): Promise<void> {
    const open = this.#sql('INSERT OR IGNORE INTO accounts VALUES (?, ?)');
    return this.#writes.write(() => void open.run(endpoint, party));
  }

  closeAccount(endpoint: string, party: PartyId): Promise<void> {
    const close = this.#sql('DELETE FROM accounts WHERE endpoint = ? AND party = ?');
    return this.#writes.write(() => void close.run(endpoint, party));
  }

  async portfolio(party: PartyId, role: StakeholderRole): Promise<readonly string[]> {
    const rows = this.#sql('SELECT endpoint FROM domains WHERE party = ? AND role = ? ORDER BY endpoint');
    return rows.all(party, role).map((row) => String(row['endpoint']));
  }

  async countByKind(): Promise<readonly KindCount[]> {
    const made = this.#sql('SELECT kind, count(*) AS n FROM devices GROUP BY kind').all();
    const rotated =
      this.#sql(`SELECT kind, count(DISTINCT endpoint) AS n FROM domains JOIN devices USING (endpoint)
      WHERE rotated_at IS NOT NULL GROUP BY kind`).all();
    const count = (rows: typeof made, kind: string): number =>
      Number(rows.find((row) => row['kind'] === kind)?.['n'] ?? 0);
    return DEVICE_KINDS.map((kind) => ({
      kind,
      manufactured: count(made, kind),
      rotated: count(rotated, kind),
    }));
  }

  async startRotation(
    requestId: string,
    rotation: Rotation,
    devices: readonly DeviceRotation[],
  ): Promise<string> {
    const insert = this.#sql(`INSERT INTO device_rotations
      (rotation_id, endpoint, domain, party, step, from_generation, to_generation) VALUES (?, ?, ?, ?, ?, ?, ?)`);
    let rotationId = rotation.rotationId;
    await this.#writes.write(() => {
      const known = this.#sql('SELECT rotation_id FROM rotations WHERE request_id = ?').get(requestId);
      if (known !== undefined) {
        rotationId = String(known['rotation_id']);
        return;
      }
      this.#sql('INSERT INTO rotations VALUES (?, ?, ?, ?, ?)').run(
        rotation.rotationId,
        requestId,
        rotation.stakeholder,
        rotation.concurrency,
        rotation.total,
      );
      for (const d of devices) {
        insert.run(d.rotationId, d.endpoint, d.domain, d.party, d.step, d.fromGeneration, d.toGeneration);
      }
    });
    return rotationId;
  }

  async rotation(rotationId: string): Promise<RotationProgress | undefined> {
    const row = this.#sql('SELECT * FROM rotations WHERE rotation_id = ?').get(rotationId);
    return row === undefined ? undefined : this.#progress(toRotation(row));
  }

  async latestRotation(): Promise<RotationProgress | undefined> {
    const row = this.#sql('SELECT * FROM rotations ORDER BY rowid DESC LIMIT 1').get();
    return row === undefined ? undefined : this.#progress(toRotation(row));
  }

  async unfinishedRotations(): Promise<readonly Rotation[]> {
    const rows = this.#sql(`SELECT * FROM rotations r WHERE EXISTS (SELECT 1 FROM device_rotations d
      WHERE d.rotation_id = r.rotation_id AND step NOT IN ('confirmed', 'failed')) ORDER BY rowid`).all();
    return rows.map(toRotation);
  }

  async unfinishedDevices(rotationId: string): Promise<readonly DeviceRotation[]> {
    const rows = this.#sql(`SELECT * FROM device_rotations
      WHERE rotation_id = ? AND step NOT IN ('confirmed', 'failed') ORDER BY endpoint`).all(rotationId);
    return rows.map(toDeviceRotation);
  }

  moveRotation(device: DeviceRotation, step: RotationStep): Promise<void> {
    const update = this.#sql(
      'UPDATE device_rotations SET step = ? WHERE rotation_id = ? AND endpoint = ? AND domain = ?',
    );
    return this.#writes.write(() => void update.run(step, device.rotationId, device.endpoint, device.domain));
  }

  finishRotation(
    device: DeviceRotation,
    step: 'confirmed' | 'failed',
    outcome: RotationOutcome,
  ): Promise<void> {
    const { rotationId, endpoint, domain } = device;
    const { durationMs, oldKeyRefused, failure } = outcome;
    return this.#writes.write(() => {
      this.#sql(`UPDATE device_rotations SET step = ?, duration_ms = ?, old_key_refused = ?, failure_code = ?,
        failure_message = ? WHERE rotation_id = ? AND endpoint = ? AND domain = ?`).run(
        step,
        durationMs,
        oldKeyRefused ? 1 : 0,
        failure?.code ?? null,
        failure?.message ?? null,
        rotationId,
        endpoint,
        domain,
      );
      if (step === 'confirmed') this.#setGeneration(device, outcome.finishedAt);
    });
  }

  async close(): Promise<void> {
    await this.#writes.idle();
    this.#database.close();
  }

  #setGeneration({ toGeneration, endpoint, domain }: DeviceRotation, at: number): void {
    this.#sql('UPDATE domains SET generation = ?, rotated_at = ? WHERE endpoint = ? AND domain = ?').run(
      toGeneration,
      at,
      endpoint,
      domain,
    );
  }

  #insertDevice({ endpoint, kind, make, diversification, connectivity }: Device): void {
    const text = connectivityText(connectivity);
    this.#sql('INSERT INTO devices VALUES (?, ?, ?, ?, ?)').run(endpoint, kind, make, diversification, text);
  }

  #progress(rotation: Rotation): RotationProgress {
    const rows = this.#sql(`SELECT endpoint, step, duration_ms, old_key_refused, failure_code, failure_message
      FROM device_rotations WHERE rotation_id = ? ORDER BY duration_ms`).all(rotation.rotationId);
    const count = (keep: (row: (typeof rows)[number]) => boolean): number => rows.filter(keep).length;
    const isOver = (row: (typeof rows)[number]): boolean =>
      isRotationOver(String(row['step']) as RotationStep);
    return {
      ...rotation,
      attempted: count((row) => row['step'] !== 'planned'),
      confirmed: count((row) => row['step'] === 'confirmed'),
      oldKeyRefused: count((row) => row['old_key_refused'] === 1),
      failed: count((row) => row['step'] === 'failed'),
      done: rows.every(isOver),
      durationsMs: rows.filter((row) => row['step'] === 'confirmed').map((row) => Number(row['duration_ms'])),
      failures: rows
        .filter((row) => row['step'] === 'failed')
        .slice(0, MAX_FAILURES_TOLD)
        .map((row) => ({
          endpoint: String(row['endpoint']),
          code: String(row['failure_code']),
          message: String(row['failure_message']),
        })),
    };
  }

  /** Statements are compiled once. */
  #sql(text: string): StatementSync {
    const known = this.#statements.get(text);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(text);
    this.#statements.set(text, statement);
    return statement;
  }
}
