import { everyTurn, WriteQueue, type SqlDatabase, type SqlRow, type SqlStatement } from '@sefleet/service';
import { FOUNDING_CONTRACTS, type Contract } from '../../domain/contract.ts';
import type { DeviceKind } from '../../domain/device-kind.ts';
import { partyId, type Party, type PartyRole } from '../../domain/party.ts';
import type { IssuedCertificate, PartyStore, Refusal, Revocation } from '../party-store.ts';
import { migrate } from './migrate.ts';
import { toBytes } from './rows.ts';
import { PARTY_SCRIPTS } from './schema.ts';

/** Refusals that are kept: a stranger who knocks for ever does not fill the disk. */
const REFUSALS_MAX = 10_000;

/** The registry of parties in a database: SQLite or PostgreSQL. */
export class SqlPartyStore implements PartyStore {
  readonly #database: SqlDatabase;
  readonly #writes: WriteQueue;

  private constructor(database: SqlDatabase) {
    this.#database = database;
    this.#writes = new WriteQueue(database, everyTurn);
  }

  /** Makes the tables that are missing; a new one begins with the founding contracts. */
  static async open(database: SqlDatabase): Promise<SqlPartyStore> {
    await migrate(database, PARTY_SCRIPTS);
    const store = new SqlPartyStore(database);
    if ((await store.contracts()).length === 0) {
      await store.#writes.push(FOUNDING_CONTRACTS.map(putContract));
    }
    return store;
  }

  async parties(): Promise<readonly Party[]> {
    return (await this.#database.query('SELECT * FROM parties ORDER BY number')).map((row) => ({
      id: partyId(String(row['id'])),
      name: String(row['name']),
      // What this file wrote, it may believe.
      roles: String(row['roles']).split(' ') as PartyRole[],
      number: Number(row['number']),
    }));
  }

  addParty({ id, name, roles, number }: Party): Promise<void> {
    const sql = 'INSERT INTO parties (id, name, roles, number) VALUES (?, ?, ?, ?)';
    return this.#writes.push({ sql, values: [id, name, roles.join(' '), number] });
  }

  async contracts(): Promise<readonly Contract[]> {
    return (await this.#database.query('SELECT * FROM contracts ORDER BY contract_id')).map(toContract);
  }

  putContract(contract: Contract): Promise<void> {
    return this.#writes.push(putContract(contract));
  }

  async certificates(subject: string): Promise<readonly IssuedCertificate[]> {
    const sql = 'SELECT * FROM certificates WHERE subject = ? ORDER BY issued_at, serial_number';
    return (await this.#database.query(sql, [subject])).map((row) => ({
      serialNumber: String(row['serial_number']),
      subject,
      // What this file wrote, it may believe.
      use: String(row['use_of']) as IssuedCertificate['use'],
      der: toBytes(row['der']),
      issuedAt: Number(row['issued_at']),
      expiresAt: Number(row['expires_at']),
    }));
  }

  addCertificate(certificate: IssuedCertificate): Promise<void> {
    const { serialNumber, subject, use, der, issuedAt, expiresAt } = certificate;
    const sql = 'INSERT INTO certificates VALUES (?, ?, ?, ?, ?, ?)';
    return this.#writes.push({ sql, values: [serialNumber, subject, use, der, issuedAt, expiresAt] });
  }

  async revocations(): Promise<readonly Revocation[]> {
    const sql = 'SELECT * FROM revocations ORDER BY revoked_at, serial_number';
    return (await this.#database.query(sql)).map((row) => ({
      serialNumber: String(row['serial_number']),
      subject: String(row['subject']),
      revokedAt: Number(row['revoked_at']),
      reason: String(row['reason']),
    }));
  }

  revoke(revocations: readonly Revocation[]): Promise<void> {
    const sql = 'INSERT INTO revocations VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING';
    return this.#writes.push(
      revocations.map(({ serialNumber, subject, revokedAt, reason }) => {
        return { sql, values: [serialNumber, subject, Math.round(revokedAt), reason] };
      }),
    );
  }

  async cardsAt(revision: number): Promise<ReadonlySet<string>> {
    const rows = await this.#database.query('SELECT endpoint FROM card_lists WHERE revision = ?', [revision]);
    return new Set(rows.map((row) => String(row['endpoint'])));
  }

  putCardRevision(endpoint: string, revision: number): Promise<void> {
    const sql = `INSERT INTO card_lists VALUES (?, ?)
      ON CONFLICT (endpoint) DO UPDATE SET revision = excluded.revision`;
    return this.#writes.push({ sql, values: [endpoint, revision] });
  }

  addRefusal({ at, caller, operation, subject }: Refusal): Promise<void> {
    return this.#writes.push([
      {
        sql: `INSERT INTO refusals (number, at, caller, operation, subject)
          VALUES ((SELECT coalesce(max(number), 0) + 1 FROM refusals), ?, ?, ?, ?)`,
        values: [Math.round(at), caller, operation, subject],
      },
      {
        sql: `DELETE FROM refusals WHERE number <= (SELECT max(number) FROM refusals) - ${REFUSALS_MAX}`,
        values: [],
      },
    ]);
  }

  async refusals(limit: number): Promise<readonly Refusal[]> {
    const rows = await this.#database.query('SELECT * FROM refusals ORDER BY number DESC LIMIT ?', [limit]);
    return rows.map((row) => ({
      at: Number(row['at']),
      caller: String(row['caller']),
      operation: String(row['operation']),
      subject: String(row['subject']),
    }));
  }

  async close(): Promise<void> {
    await this.#writes.flush();
    await this.#database.close();
  }
}

function putContract(contract: Contract): SqlStatement {
  const { contractId, party, role, subject, validFrom, validUntil, reference, endedBecause } = contract;
  const kind = 'kind' in subject ? subject.kind : '';
  const endpoint = 'endpoint' in subject ? subject.endpoint : '';
  return {
    sql: `INSERT INTO contracts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (contract_id) DO UPDATE SET
      party = excluded.party, role = excluded.role, kind = excluded.kind, endpoint = excluded.endpoint,
      valid_from = excluded.valid_from, valid_until = excluded.valid_until, reference = excluded.reference,
      ended_because = excluded.ended_because`,
    values: [contractId, party, role, kind, endpoint, validFrom, validUntil ?? null, reference, endedBecause],
  };
}

function toContract(row: SqlRow): Contract {
  const kind = String(row['kind']);
  return {
    contractId: String(row['contract_id']),
    party: partyId(String(row['party'])),
    // What this file wrote, it may believe.
    role: String(row['role']) as PartyRole,
    subject: kind === '' ? { endpoint: String(row['endpoint']) } : { kind: kind as DeviceKind },
    validFrom: Number(row['valid_from']),
    validUntil: row['valid_until'] === null ? undefined : Number(row['valid_until']),
    reference: String(row['reference']),
    endedBecause: String(row['ended_because']),
  };
}
