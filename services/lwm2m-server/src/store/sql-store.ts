import { AnnouncementTable } from '@sefleet/lwm2m-coap';
import type { Registration, StoredObservation, StoredState } from '@sefleet/lwm2m-coap';
import type { Timers } from '@sefleet/runtime';
import { gathering, WriteQueue, type SqlDatabase, type SqlStatement } from '@sefleet/service';
import type { AuditRecord } from '../domain/audit-record.ts';
import type { Campaign, CampaignCounts, CampaignResult } from '../domain/campaigns/campaign.ts';
import { campaignValues, resultValues, toCampaign, toResult } from './campaign-row.ts';
import { EVENT_SCHEMA, SqlEventStore } from './event-store.ts';
import { OPERATION_SCHEMA, SqlOperationStore } from './operation-store.ts';
import { registrationValues, toRegistration, touchValues } from './registration-row.ts';
import { SCHEMA, SQL } from './schema.ts';
import type { ServerStore } from './server-store.ts';

/** Whoever is refused writes here: that must not fill a disk. */
const AUDIT_KEPT = 100_000;

/**
 * The store on an SQL database. Changes are gathered into transactions; readers wait for what was changed
 * before.
 */
export class SqlStore implements ServerStore {
  readonly #database: SqlDatabase;
  readonly #queue: WriteQueue;
  readonly operations: SqlOperationStore;
  readonly events: SqlEventStore;
  readonly #auditKept: number;
  #auditNumber = 0;

  private constructor(
    database: SqlDatabase,
    timers: Timers,
    onFailure: (error: unknown) => void,
    auditKept: number,
  ) {
    this.#database = database;
    this.#auditKept = auditKept;
    this.#queue = new WriteQueue(database, gathering(timers), onFailure);
    this.operations = new SqlOperationStore(database, this.#queue);
    this.events = new SqlEventStore(database);
  }

  /**
   * Makes the tables that are missing.
   *
   * @param onFailure told when a transaction failed
   * @param auditKept refusals that are kept, and about a sixteenth more
   */
  static async open(
    database: SqlDatabase,
    timers: Timers,
    onFailure: (error: unknown) => void,
    auditKept = AUDIT_KEPT,
  ): Promise<SqlStore> {
    await database.migrate(SCHEMA + OPERATION_SCHEMA + EVENT_SCHEMA);
    return new SqlStore(database, timers, onFailure, auditKept);
  }

  async load(): Promise<StoredState> {
    const announcements = new AnnouncementTable();
    const rows = await this.#read('SELECT * FROM registrations');
    const observations = await this.#read('SELECT * FROM observations');
    return {
      registrations: rows.map((row) => toRegistration(row, announcements)),
      observations: observations.map((row) => ({
        endpoint: String(row['endpoint']),
        paths: String(row['paths']).split(' '),
      })),
    };
  }

  saveRegistration(registration: Registration): Promise<void> {
    return this.#queue.push({ sql: SQL.saveRegistration, values: registrationValues(registration) });
  }

  touchRegistration(registration: Registration): void {
    const statement = { sql: SQL.touchRegistration, values: touchValues(registration) };
    this.#queue.put(statement, `touch ${registration.id}`);
  }

  removeRegistration({ endpoint, id }: Registration): void {
    this.#queue.put({ sql: SQL.removeObservationsOf, values: [endpoint, endpoint, id] });
    this.#queue.put({ sql: SQL.removeRegistration, values: [endpoint, id] });
  }

  saveObservation({ endpoint, paths }: StoredObservation): Promise<void> {
    return this.#queue.push({ sql: SQL.saveObservation, values: [endpoint, paths.join(' ')] });
  }

  removeObservation({ endpoint, paths }: StoredObservation): void {
    this.#queue.put({ sql: SQL.removeObservation, values: [endpoint, paths.join(' ')] });
  }

  saveBootstrap(endpoint: string, kind: string, atMs: number): void {
    this.#queue.put({ sql: SQL.saveBootstrap, values: [endpoint, kind, Math.round(atMs)] });
  }

  async bootstrapCounts(): Promise<ReadonlyMap<string, number>> {
    const rows = await this.#read('SELECT kind, count(*) AS devices FROM bootstraps GROUP BY kind');
    return new Map(rows.map((row) => [String(row['kind']), Number(row['devices'])]));
  }

  async saveCampaign(campaign: Campaign, endpoints: readonly string[]): Promise<void> {
    const open = { state: 'open', code: '', senmlJson: '', error: '', attempts: 0 } as const;
    const statements: SqlStatement[] = [{ sql: SQL.saveCampaign, values: campaignValues(campaign) }];
    for (const endpoint of endpoints) {
      statements.push({ sql: SQL.saveResult, values: resultValues(campaign.id, { ...open, endpoint }) });
    }
    await this.#database.write(statements);
  }

  updateCampaign({ id, state, endedAtMs }: Campaign): void {
    this.#queue.put({ sql: SQL.updateCampaign, values: [state, endedAtMs ?? null, id] });
  }

  saveCampaignResult(campaignId: string, result: CampaignResult): void {
    this.#queue.put({ sql: SQL.saveResult, values: resultValues(campaignId, result) });
  }

  async findCampaign(id: string): Promise<Campaign | undefined> {
    const [row] = await this.#read('SELECT * FROM campaigns WHERE id = ?', id);
    return row === undefined ? undefined : toCampaign(row);
  }

  async listCampaigns(limit: number): Promise<readonly Campaign[]> {
    return (await this.#read('SELECT * FROM campaigns ORDER BY started_at_ms DESC LIMIT ?', limit)).map(
      toCampaign,
    );
  }

  async openCampaigns(): Promise<readonly Campaign[]> {
    const sql = `SELECT * FROM campaigns WHERE state IN ('running', 'paused') ORDER BY started_at_ms`;
    return (await this.#read(sql)).map(toCampaign);
  }

  async campaignCounts(id: string): Promise<CampaignCounts> {
    const sql =
      'SELECT state, count(*) AS devices FROM campaign_results WHERE campaign_id = ? GROUP BY state';
    const counts = new Map((await this.#read(sql, id)).map((row) => [row['state'], Number(row['devices'])]));
    const of = (state: CampaignResult['state']): number => counts.get(state) ?? 0;
    return { succeeded: of('succeeded'), failed: of('failed'), open: of('open') };
  }

  async openCampaignResults(id: string): Promise<readonly CampaignResult[]> {
    const sql = `SELECT * FROM campaign_results WHERE campaign_id = ? AND state = 'open' ORDER BY endpoint`;
    return (await this.#read(sql, id)).map(toResult);
  }

  async campaignResults(
    id: string,
    {
      after,
      limit,
      onlyFailed,
    }: { readonly after: string; readonly limit: number; readonly onlyFailed: boolean },
  ): Promise<readonly CampaignResult[]> {
    return (await this.#read(SQL.resultPage, id, after, Number(onlyFailed), limit)).map(toResult);
  }

  saveAudit(record: AuditRecord): void {
    const { atMs, caller, operation, endpoint, path, reason } = record;
    // Several in one millisecond are told apart by a number of this run.
    const number = this.#auditNumber++;
    const values = [Math.round(atMs), number, caller, operation, endpoint, path, reason];
    this.#queue.put({ sql: SQL.saveAudit, values });
    if (number % Math.ceil(this.#auditKept / 16) === 0) {
      this.#queue.put({ sql: SQL.dropAudit, values: [this.#auditKept - 1] });
    }
  }

  async listAudit(limit: number, caller: string): Promise<readonly AuditRecord[]> {
    const rows = await this.#read(SQL.listAudit, caller, caller, limit);
    return rows.map((row) => ({
      atMs: Number(row['at_ms']),
      caller: String(row['caller']),
      operation: String(row['operation']),
      endpoint: String(row['endpoint']),
      path: String(row['path']),
      reason: String(row['reason']),
    }));
  }

  flush(): Promise<void> {
    return this.#queue.flush();
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#database.close();
  }

  async #read(sql: string, ...values: (string | number)[]): ReturnType<SqlDatabase['query']> {
    await this.#queue.flush();
    return this.#database.query(sql, values);
  }
}
