import type { MeterEvidence } from '@sefleet/evidence';
import { everyTurn, WriteQueue, type SqlDatabase, type SqlRow, type SqlStatement } from '@sefleet/service';
import { partyId } from '../../domain/party.ts';
import type { MeterSwitch } from '../../domain/switch/meter-switch.ts';
import { FRESH_COURSE, type SwitchCourse } from '../../domain/switch/switch-course.ts';
import type { SwitchOrder, SwitchVerb } from '../../domain/switch/switch-order.ts';
import { DEFAULT_MARKET } from '../../domain/switch/working-days.ts';
import { isSwitchOver, type SwitchState, type SwitchStep } from '../../domain/switch/switch-state.ts';
import type { MeterPage, SwitchCounts, SwitchJournal } from '../switch-journal.ts';
import { migrate } from './migrate.ts';
import { JOURNAL_SCRIPTS } from './schema.ts';

const OPEN = `state NOT IN ('confirmed', 'exception', 'rolled-back')`;

/** The journal in a database: SQLite or PostgreSQL. */
export class SqlSwitchJournal implements SwitchJournal {
  readonly #database: SqlDatabase;
  readonly #writes: WriteQueue;

  private constructor(database: SqlDatabase) {
    this.#database = database;
    this.#writes = new WriteQueue(database, everyTurn);
  }

  /** Makes the tables that are missing. */
  static async open(database: SqlDatabase): Promise<SqlSwitchJournal> {
    await migrate(database, JOURNAL_SCRIPTS);
    return new SqlSwitchJournal(database);
  }

  async start(requestId: string, order: SwitchOrder, meters: readonly MeterSwitch[]): Promise<string> {
    const known = await this.findRequest(requestId);
    if (known !== undefined) return known;
    const { switchId } = order;
    const text = JSON.stringify({ ...order, faults: [...order.faults] });
    const sql = 'INSERT INTO switches (switch_id, request_id, switch_order, started_at) VALUES (?, ?, ?, ?)';
    const values = [switchId, requestId, text, Math.round(order.startedAt)];
    try {
      await this.#writes.push([{ sql, values }, ...meters.map(write)]);
      return switchId;
    } catch (error) {
      // Another one with the same request id was faster, or the database failed.
      const faster = await this.findRequest(requestId);
      if (faster === undefined) throw error;
      return faster;
    }
  }

  async findRequest(requestId: string): Promise<string | undefined> {
    const sql = 'SELECT switch_id FROM switches WHERE request_id = ?';
    const [row] = await this.#database.query(sql, [requestId]);
    return row === undefined ? undefined : String(row['switch_id']);
  }

  async order(switchId: string): Promise<SwitchOrder | undefined> {
    const sql = 'SELECT switch_order FROM switches WHERE switch_id = ?';
    const [row] = await this.#database.query(sql, [switchId]);
    return row === undefined ? undefined : toOrder(String(row['switch_order']));
  }

  async course(switchId: string): Promise<SwitchCourse> {
    const sql = 'SELECT paused, stopped, course FROM switches WHERE switch_id = ?';
    const [row] = await this.#database.query(sql, [switchId]);
    if (row === undefined) return FRESH_COURSE;
    // What this file wrote, it may believe; switches from before courses were kept have none.
    const kept = String(row['course']);
    const rest: Partial<SwitchCourse> = kept === '' ? {} : JSON.parse(kept);
    const [paused, stopped] = [Number(row['paused']) === 1, String(row['stopped'])];
    return { ...FRESH_COURSE, ...rest, paused, stopped };
  }

  putCourse(switchId: string, { paused, stopped, ...rest }: SwitchCourse): Promise<void> {
    const sql = 'UPDATE switches SET paused = ?, stopped = ?, course = ? WHERE switch_id = ?';
    return this.#writes.push({ sql, values: [paused ? 1 : 0, stopped, JSON.stringify(rest), switchId] });
  }

  async latest(limit: number): Promise<readonly string[]> {
    const sql = 'SELECT switch_id FROM switches ORDER BY started_at DESC, switch_id LIMIT ?';
    return (await this.#database.query(sql, [limit])).map((row) => String(row['switch_id']));
  }

  async unfinished(): Promise<readonly string[]> {
    const rows = await this.#database.query(`SELECT DISTINCT switch_id FROM meter_switches WHERE ${OPEN}`);
    return rows.map((row) => String(row['switch_id']));
  }

  async counts(switchId: string): Promise<SwitchCounts> {
    const sql =
      'SELECT state, reason, done, count(*) AS n FROM meter_switches WHERE switch_id = ? GROUP BY state, reason, done';
    const states = new Map<string, number>();
    const exceptions = new Map<string, number>();
    const steps = new Map<SwitchStep | undefined, number>();
    for (const row of await this.#database.query(sql, [switchId])) {
      const [state, n] = [toState(row), Number(row['n'])];
      add(states, state, n);
      if (state === 'exception') add(exceptions, String(row['reason']), n);
      if (!isSwitchOver(state)) add(steps, toStep(row['done']), n);
    }
    return { states, exceptions, steps };
  }

  async meters(switchId: string, which: 'open' | 'all'): Promise<readonly MeterSwitch[]> {
    const where = which === 'open' ? ` AND ${OPEN}` : '';
    const sql = `SELECT * FROM meter_switches WHERE switch_id = ?${where} ORDER BY endpoint`;
    return (await this.#database.query(sql, [switchId])).map(toMeter);
  }

  async page(switchId: string, { states, after, limit }: MeterPage): Promise<readonly MeterSwitch[]> {
    const inStates = states.length === 0 ? '' : ` AND state IN (${states.map(() => '?').join(', ')})`;
    const sql = `SELECT * FROM meter_switches WHERE switch_id = ? AND endpoint > ?${inStates}
      ORDER BY endpoint LIMIT ?`;
    return (await this.#database.query(sql, [switchId, after, ...states, limit])).map(toMeter);
  }

  async endpoints(switchId: string): Promise<readonly string[]> {
    const sql = 'SELECT endpoint FROM meter_switches WHERE switch_id = ?';
    return (await this.#database.query(sql, [switchId])).map((row) => String(row['endpoint']));
  }

  async busyMeters(): Promise<ReadonlySet<string>> {
    const rows = await this.#database.query(`SELECT endpoint FROM meter_switches WHERE ${OPEN}`);
    return new Set(rows.map((row) => String(row['endpoint'])));
  }

  async useMandate(
    giver: string,
    nonce: string,
    { switchId, endpoint }: Pick<MeterSwitch, 'switchId' | 'endpoint'>,
  ): Promise<boolean> {
    const sql = 'INSERT INTO mandates VALUES (?, ?, ?, ?) ON CONFLICT (giver, nonce) DO NOTHING';
    await this.#writes.push({ sql, values: [giver, nonce, switchId, endpoint] });
    const find = 'SELECT switch_id, endpoint FROM mandates WHERE giver = ? AND nonce = ?';
    const [used] = await this.#database.query(find, [giver, nonce]);
    return used?.['switch_id'] === switchId && used['endpoint'] === endpoint;
  }

  record(meter: MeterSwitch): Promise<void> {
    return this.#writes.push(write(meter));
  }

  async close(): Promise<void> {
    await this.#writes.flush();
    await this.#database.close();
  }
}

function write(meter: MeterSwitch): SqlStatement {
  const { switchId, endpoint, state, done, dueAt, attempts, receiptCounter, reason, detail, takeBack } =
    meter;
  return {
    sql: PUT_METER,
    values: [
      switchId,
      endpoint,
      state,
      done ?? null,
      meter.inDoubt ? 1 : 0,
      Math.round(dueAt),
      attempts,
      receiptCounter ?? null,
      reason,
      detail,
      takeBack,
      JSON.stringify(meter.evidence),
    ],
  };
}

const PUT_METER = `INSERT INTO meter_switches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (switch_id, endpoint) DO UPDATE SET state = excluded.state, done = excluded.done,
  in_doubt = excluded.in_doubt, due_at = excluded.due_at, attempts = excluded.attempts,
  receipt_counter = excluded.receipt_counter, reason = excluded.reason, detail = excluded.detail,
  take_back = excluded.take_back, evidence = excluded.evidence`;

function toOrder(text: string): SwitchOrder {
  const value: Record<string, unknown> = JSON.parse(text);
  const faults = Array.isArray(value['faults']) ? (value['faults'] as (readonly [string, number])[]) : [];
  return {
    // What this file wrote, it may believe.
    switchId: String(value['switchId']),
    startedAt: Number(value['startedAt'] ?? 0),
    verb: String(value['verb']) as SwitchVerb,
    from: partyId(String(value['from'])),
    to: partyId(String(value['to'])),
    cutOverAt: Number(value['cutOverAt']),
    concurrency: Number(value['concurrency']),
    ratePerMinute: Number(value['ratePerMinute'] ?? 0),
    waves: readWaves(value),
    wavePauseMs: Number(value['wavePauseMs'] ?? 0),
    stopAbovePercent: Number(value['stopAbovePercent']),
    faults: new Map(faults),
    seed: Number(value['seed']),
    market: typeof value['market'] === 'string' ? value['market'] : DEFAULT_MARKET,
  };
}

/** Orders from before waves had one share of canaries. */
function readWaves({ waves, canaryPercent }: Record<string, unknown>): readonly number[] {
  if (Array.isArray(waves)) return waves.map(Number);
  return Number(canaryPercent) > 0 ? [Number(canaryPercent)] : [];
}

// What this file wrote, it may believe.
function toState(row: SqlRow): SwitchState {
  return String(row['state']) as SwitchState;
}

function toStep(done: SqlRow[string]): SwitchStep | undefined {
  return typeof done === 'string' ? (done as SwitchStep) : undefined;
}

function add<K>(counts: Map<K, number>, key: K, n: number): void {
  counts.set(key, (counts.get(key) ?? 0) + n);
}

function toMeter(row: SqlRow): MeterSwitch {
  const evidence: MeterEvidence = JSON.parse(String(row['evidence']));
  return {
    switchId: String(row['switch_id']),
    endpoint: String(row['endpoint']),
    state: toState(row),
    done: toStep(row['done']),
    inDoubt: Number(row['in_doubt']) === 1,
    dueAt: Number(row['due_at']),
    attempts: Number(row['attempts']),
    receiptCounter: row['receipt_counter'] === null ? undefined : Number(row['receipt_counter']),
    reason: String(row['reason']),
    detail: String(row['detail']),
    takeBack: String(row['take_back']),
    evidence,
  };
}
