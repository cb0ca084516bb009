import { everyTurn, WriteQueue, type SqlDatabase, type SqlRow, type SqlStatement } from '@sefleet/service';
import type { Aid } from '@sefleet/globalplatform';
import type { OwnCredential } from '../../domain/own-credential.ts';
import type { StakeholderRole } from '../../domain/card-plan.ts';
import type { Connectivity } from '../../domain/connectivity.ts';
import { DEVICE_KINDS } from '../../domain/device-kind.ts';
import { partyId, type PartyId } from '../../domain/party.ts';
import type {
  DeviceRotation,
  Rotation,
  RotationOutcome,
  RotationProgress,
  RotationStep,
} from '../../domain/rotation.ts';
import type {
  Device,
  DomainState,
  HeldCredential,
  KindCount,
  MadeCard,
  ProvisioningStore,
} from '../provisioning-store.ts';
import { insertMany, queryEach } from './batches.ts';
import { migrate } from './migrate.ts';
import {
  connectivityText,
  toBytes,
  toDevice,
  toDeviceRotation,
  toDomainState,
  toProgress,
  toRotation,
} from './rows.ts';
import { STATE_SCRIPTS } from './schema.ts';

const UNFINISHED = `step NOT IN ('confirmed', 'failed')`;

/** The state in a database: SQLite or PostgreSQL. */
export class SqlProvisioningStore implements ProvisioningStore {
  readonly #database: SqlDatabase;
  readonly #writes: WriteQueue;

  private constructor(database: SqlDatabase) {
    this.#database = database;
    this.#writes = new WriteQueue(database, everyTurn);
  }

  /** Makes the tables that are missing. */
  static async open(database: SqlDatabase): Promise<SqlProvisioningStore> {
    await migrate(database, STATE_SCRIPTS);
    return new SqlProvisioningStore(database);
  }

  async devices(endpoints: readonly string[]): Promise<ReadonlyMap<string, Device>> {
    const rows = await queryEach(this.#database, 'SELECT * FROM devices WHERE endpoint IN', endpoints);
    return new Map(rows.map(toDevice).map((device) => [device.endpoint, device]));
  }

  async cardEndpoints(): Promise<readonly string[]> {
    const rows = await this.#database.query(
      `SELECT endpoint FROM devices WHERE make = 'card' ORDER BY endpoint`,
    );
    return rows.map((row) => String(row['endpoint']));
  }

  addSoftwareDevice(device: Device): Promise<void> {
    return this.#writes.push(insertDevice(device));
  }

  putConnectivity(endpoint: string, connectivity: Connectivity): Promise<void> {
    const sql = 'UPDATE devices SET connectivity = ? WHERE endpoint = ?';
    return this.#writes.push({ sql, values: [connectivityText(connectivity), endpoint] });
  }

  async putOwnCredential(endpoint: string, { form, reference, authority }: OwnCredential): Promise<boolean> {
    const isTaken = async (): Promise<boolean> => {
      const sql = 'SELECT endpoint FROM own_credentials WHERE reference = ?';
      const [row] = await this.#database.query(sql, [reference]);
      return row !== undefined && row['endpoint'] !== endpoint;
    };
    if (await isTaken()) return false;
    try {
      await this.#writes.push({
        sql: `INSERT INTO own_credentials VALUES (?, ?, ?, ?) ON CONFLICT (endpoint, form) DO UPDATE SET
          reference = excluded.reference, authority = excluded.authority`,
        values: [endpoint, form, reference, authority],
      });
      return true;
    } catch (error) {
      // Another device was faster, or the database failed.
      if (await isTaken()) return false;
      throw error;
    }
  }

  async ownCredentials(references: readonly string[]): Promise<readonly HeldCredential[]> {
    const sql = 'SELECT * FROM own_credentials JOIN devices USING (endpoint) WHERE reference IN';
    const rows = await queryEach(this.#database, sql, references);
    return rows.map((row) => ({
      reference: String(row['reference']),
      device: toDevice(row),
      authority: toBytes(row['authority']),
    }));
  }

  addCards(cards: readonly MadeCard[]): Promise<void> {
    return this.#writes.push(
      cards.flatMap(({ device, sealedImage, certificateChain, domains, accounts }) => {
        const { endpoint } = device;
        const chain = JSON.stringify(certificateChain.map((der) => Buffer.from(der).toString('base64')));
        return [
          insertDevice(device),
          { sql: 'INSERT INTO cards VALUES (?, ?, ?)', values: [endpoint, sealedImage, chain] },
          ...domains.map(({ domain, role, party, generation }) => {
            return {
              sql: 'INSERT INTO domains (endpoint, domain, role, party, generation) VALUES (?, ?, ?, ?, ?)',
              values: [endpoint, domain, role, party, generation],
            };
          }),
          ...accounts.map((party) => insertAccount(endpoint, party)),
        ];
      }),
    );
  }

  async cards(endpoints: readonly string[]): Promise<ReadonlyMap<string, MadeCard>> {
    const sql = 'SELECT * FROM devices JOIN cards USING (endpoint) WHERE endpoint IN';
    const rows = await queryEach(this.#database, sql, endpoints);
    const domains = Map.groupBy(await this.#domains(endpoints), ({ endpoint }) => endpoint);
    const accounts = Map.groupBy(await this.#accounts(endpoints), ({ endpoint }) => endpoint);
    return new Map(
      rows.map((row) => {
        const device = toDevice(row);
        const chain: readonly string[] = JSON.parse(String(row['certificate_chain']));
        const made: MadeCard = {
          device,
          sealedImage: toBytes(row['sealed_image']),
          certificateChain: chain.map((text) => Buffer.from(text, 'base64')),
          domains: domains.get(device.endpoint) ?? [],
          accounts: (accounts.get(device.endpoint) ?? []).map(({ party }) => party),
        };
        return [device.endpoint, made];
      }),
    );
  }

  async accounts(endpoint: string): Promise<readonly PartyId[]> {
    return (await this.#accounts([endpoint])).map(({ party }) => party);
  }

  openAccount(endpoint: string, party: PartyId): Promise<void> {
    return this.#writes.push(insertAccount(endpoint, party));
  }

  closeAccount(endpoint: string, party: PartyId): Promise<void> {
    const sql = 'DELETE FROM accounts WHERE endpoint = ? AND party = ?';
    return this.#writes.push({ sql, values: [endpoint, party] });
  }

  domains(endpoint: string): Promise<readonly DomainState[]> {
    return this.#domains([endpoint]);
  }

  async domainsOf(
    endpoints: readonly string[],
    holders: ReadonlySet<string>,
  ): Promise<readonly DomainState[]> {
    const all = await this.#domains(endpoints);
    return all.filter(({ role, party }) => holders.has(role) || holders.has(party));
  }

  putDomain(state: DomainState): Promise<void> {
    const { endpoint, domain, role, party, generation, rotatedAt, records } = state;
    return this.#writes.push({
      sql: `INSERT INTO domains (endpoint, domain, role, party, generation, rotated_at, records)
        VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (endpoint, domain) DO UPDATE SET
        role = excluded.role, party = excluded.party, generation = excluded.generation,
        rotated_at = excluded.rotated_at, records = excluded.records`,
      values: [endpoint, domain, role, party, generation, rotatedAt ?? null, records ?? ''],
    });
  }

  removeDomain(endpoint: string, domain: Aid): Promise<void> {
    const sql = 'DELETE FROM domains WHERE endpoint = ? AND domain = ?';
    return this.#writes.push({ sql, values: [endpoint, domain] });
  }

  async portfolio(party: PartyId, role: StakeholderRole): Promise<readonly string[]> {
    const sql = 'SELECT endpoint FROM domains WHERE party = ? AND role = ? ORDER BY endpoint';
    return (await this.#database.query(sql, [party, role])).map((row) => String(row['endpoint']));
  }

  async generations(party: PartyId): Promise<ReadonlyMap<number, number>> {
    const sql = 'SELECT generation, count(*) AS n FROM domains WHERE party = ? GROUP BY generation';
    const rows = await this.#database.query(sql, [party]);
    return new Map(rows.map((row) => [Number(row['generation']), Number(row['n'])]));
  }

  async endpointsAt(party: PartyId, generation: number): Promise<readonly string[]> {
    const sql = 'SELECT DISTINCT endpoint FROM domains WHERE party = ? AND generation = ? ORDER BY endpoint';
    return (await this.#database.query(sql, [party, generation])).map((row) => String(row['endpoint']));
  }

  async countByKind(): Promise<readonly KindCount[]> {
    const made = await this.#database.query('SELECT kind, count(*) AS n FROM devices GROUP BY kind');
    const rotated = await this.#database.query(`SELECT kind, count(DISTINCT endpoint) AS n
      FROM domains JOIN devices USING (endpoint) WHERE rotated_at IS NOT NULL GROUP BY kind`);
    const count = (rows: readonly SqlRow[], kind: string): number =>
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
    const known = await this.#requested(requestId);
    if (known !== undefined) return known;
    const { rotationId, stakeholder, concurrency, total } = rotation;
    try {
      await this.#writes.push([
        {
          sql: `INSERT INTO rotations (rotation_id, request_id, stakeholder, concurrency, total, number)
            VALUES (?, ?, ?, ?, ?, (SELECT coalesce(max(number), 0) + 1 FROM rotations))`,
          values: [rotationId, requestId, stakeholder, concurrency, total],
        },
        ...insertMany(
          'device_rotations (rotation_id, endpoint, domain, party, step, from_generation, to_generation)',
          7,
          devices.map((d) => [
            d.rotationId,
            d.endpoint,
            d.domain,
            d.party,
            d.step,
            d.fromGeneration,
            d.toGeneration,
          ]),
        ),
      ]);
      return rotationId;
    } catch (error) {
      // Another one with the same request id was faster, or the database failed.
      const faster = await this.#requested(requestId);
      if (faster === undefined) throw error;
      return faster;
    }
  }

  async rotation(rotationId: string): Promise<RotationProgress | undefined> {
    const [row] = await this.#database.query('SELECT * FROM rotations WHERE rotation_id = ?', [rotationId]);
    return row === undefined ? undefined : this.#progress(toRotation(row));
  }

  async latestRotation(): Promise<RotationProgress | undefined> {
    const [row] = await this.#database.query('SELECT * FROM rotations ORDER BY number DESC LIMIT 1');
    return row === undefined ? undefined : this.#progress(toRotation(row));
  }

  async unfinishedRotations(): Promise<readonly Rotation[]> {
    const rows = await this.#database.query(`SELECT * FROM rotations r WHERE EXISTS
      (SELECT 1 FROM device_rotations d WHERE d.rotation_id = r.rotation_id AND ${UNFINISHED})
      ORDER BY number`);
    return rows.map(toRotation);
  }

  async unfinishedDevices(rotationId: string): Promise<readonly DeviceRotation[]> {
    const sql = `SELECT * FROM device_rotations WHERE rotation_id = ? AND ${UNFINISHED} ORDER BY endpoint`;
    return (await this.#database.query(sql, [rotationId])).map(toDeviceRotation);
  }

  moveRotation({ rotationId, endpoint, domain }: DeviceRotation, step: RotationStep): Promise<void> {
    const sql = 'UPDATE device_rotations SET step = ? WHERE rotation_id = ? AND endpoint = ? AND domain = ?';
    return this.#writes.push({ sql, values: [step, rotationId, endpoint, domain] });
  }

  finishRotation(
    device: DeviceRotation,
    step: 'confirmed' | 'failed',
    outcome: RotationOutcome,
  ): Promise<void> {
    const { rotationId, endpoint, domain, toGeneration } = device;
    const { durationMs, oldKeyRefused, failure, finishedAt } = outcome;
    const refused = oldKeyRefused ? 1 : 0;
    const why = [failure?.code ?? null, failure?.message ?? null] as const;
    const finished: SqlStatement = {
      sql: `UPDATE device_rotations SET step = ?, duration_ms = ?, old_key_refused = ?, failure_code = ?,
        failure_message = ? WHERE rotation_id = ? AND endpoint = ? AND domain = ?`,
      values: [step, durationMs, refused, ...why, rotationId, endpoint, domain],
    };
    if (step === 'failed') return this.#writes.push(finished);
    const held = 'UPDATE domains SET generation = ?, rotated_at = ? WHERE endpoint = ? AND domain = ?';
    const values = [toGeneration, Math.round(finishedAt), endpoint, domain];
    return this.#writes.push([finished, { sql: held, values }]);
  }

  async close(): Promise<void> {
    await this.#writes.flush();
    await this.#database.close();
  }

  async #domains(endpoints: readonly string[]): Promise<readonly DomainState[]> {
    const sql = 'SELECT * FROM domains WHERE endpoint IN';
    const rows = (await queryEach(this.#database, sql, endpoints)).map(toDomainState);
    const place = new Map(endpoints.map((endpoint, at) => [endpoint, at]));
    const order = (state: DomainState): number => place.get(state.endpoint) ?? 0;
    return rows.toSorted((a, b) => order(a) - order(b) || (a.domain < b.domain ? -1 : 1));
  }

  async #accounts(endpoints: readonly string[]): Promise<{ endpoint: string; party: PartyId }[]> {
    const rows = await queryEach(this.#database, 'SELECT * FROM accounts WHERE endpoint IN', endpoints);
    return rows
      .map((row) => ({ endpoint: String(row['endpoint']), party: partyId(String(row['party'])) }))
      .toSorted((a, b) => (a.party < b.party ? -1 : 1));
  }

  async #requested(requestId: string): Promise<string | undefined> {
    const sql = 'SELECT rotation_id FROM rotations WHERE request_id = ?';
    const [row] = await this.#database.query(sql, [requestId]);
    return row === undefined ? undefined : String(row['rotation_id']);
  }

  async #progress(rotation: Rotation): Promise<RotationProgress> {
    const sql = `SELECT endpoint, step, duration_ms, old_key_refused, failure_code, failure_message
      FROM device_rotations WHERE rotation_id = ? ORDER BY duration_ms`;
    return toProgress(rotation, await this.#database.query(sql, [rotation.rotationId]));
  }
}

function insertAccount(endpoint: string, party: PartyId): SqlStatement {
  return { sql: 'INSERT INTO accounts VALUES (?, ?) ON CONFLICT DO NOTHING', values: [endpoint, party] };
}

function insertDevice({ endpoint, kind, make, diversification, connectivity }: Device): SqlStatement {
  return {
    sql: 'INSERT INTO devices VALUES (?, ?, ?, ?, ?)',
    values: [endpoint, kind, make, diversification, connectivityText(connectivity)],
  };
}
