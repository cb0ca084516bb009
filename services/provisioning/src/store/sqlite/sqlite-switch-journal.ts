import type { DatabaseSync } from 'node:sqlite';
import type { MeterEvidence } from '@sefleet/evidence';
import { partyId } from '../../domain/party.ts';
import type { MeterSwitch } from '../../domain/switch/meter-switch.ts';
import type { SwitchOrder, SwitchVerb } from '../../domain/switch/switch-order.ts';
import type { SwitchState, SwitchStep } from '../../domain/switch/switch-state.ts';
import { openDatabase } from '../open-database.ts';
import type { SwitchControls, SwitchCounts, SwitchJournal } from '../switch-journal.ts';
import type { Row } from './rows.ts';
import { WriteQueue } from './write-queue.ts';

const MIGRATIONS: readonly string[] = [
  `CREATE TABLE switches (
     switch_id TEXT PRIMARY KEY, request_id TEXT NOT NULL UNIQUE, switch_order TEXT NOT NULL,
     paused INTEGER NOT NULL DEFAULT 0, stopped TEXT NOT NULL DEFAULT ''
   ) STRICT;
   CREATE TABLE meter_switches (
     switch_id TEXT NOT NULL REFERENCES switches, endpoint TEXT NOT NULL, state TEXT NOT NULL, done TEXT,
     in_doubt INTEGER NOT NULL, due_at INTEGER NOT NULL, attempts INTEGER NOT NULL, receipt_counter INTEGER,
     reason TEXT NOT NULL, detail TEXT NOT NULL, take_back TEXT NOT NULL, evidence TEXT NOT NULL,
     PRIMARY KEY (switch_id, endpoint)
   ) STRICT;
   CREATE INDEX by_state ON meter_switches (switch_id, state, reason);
   CREATE INDEX open_meters ON meter_switches (switch_id, endpoint)
     WHERE state NOT IN ('confirmed', 'exception', 'rolled-back');`,
];
const OPEN = `state NOT IN ('confirmed', 'exception', 'rolled-back')`;

/** The journal in one SQLite file; `:memory:` for tests. */
export class SqliteSwitchJournal implements SwitchJournal {
  readonly #database: DatabaseSync;
  readonly #writes: WriteQueue;
  readonly #put: ReturnType<DatabaseSync['prepare']>;

  constructor(path: string) {
    this.#database = openDatabase(path, 'process', MIGRATIONS);
    this.#writes = new WriteQueue(this.#database);
    this.#put = this.#database.prepare(
      'INSERT OR REPLACE INTO meter_switches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    );
  }

  async start(requestId: string, order: SwitchOrder, meters: readonly MeterSwitch[]): Promise<string> {
    let { switchId } = order;
    await this.#writes.write(() => {
      const known = this.#database
        .prepare('SELECT switch_id FROM switches WHERE request_id = ?')
        .get(requestId);
      if (known !== undefined) {
        switchId = String(known['switch_id']);
        return;
      }
      const text = JSON.stringify({ ...order, faults: [...order.faults] });
      const insert = 'INSERT INTO switches (switch_id, request_id, switch_order) VALUES (?, ?, ?)';
      this.#database.prepare(insert).run(switchId, requestId, text);
      for (const meter of meters) this.#write(meter);
    });
    return switchId;
  }

  async findRequest(requestId: string): Promise<string | undefined> {
    const row = this.#database.prepare('SELECT switch_id FROM switches WHERE request_id = ?').get(requestId);
    return row === undefined ? undefined : String(row['switch_id']);
  }

  async order(switchId: string): Promise<SwitchOrder | undefined> {
    const row = this.#database.prepare('SELECT switch_order FROM switches WHERE switch_id = ?').get(switchId);
    return row === undefined ? undefined : toOrder(String(row['switch_order']));
  }

  async controls(switchId: string): Promise<SwitchControls> {
    const row = this.#database
      .prepare('SELECT paused, stopped FROM switches WHERE switch_id = ?')
      .get(switchId);
    return { paused: row?.['paused'] === 1, stopped: String(row?.['stopped'] ?? '') };
  }

  control(switchId: string, { paused, stopped }: SwitchControls): Promise<void> {
    const update = this.#database.prepare('UPDATE switches SET paused = ?, stopped = ? WHERE switch_id = ?');
    return this.#writes.write(() => void update.run(paused ? 1 : 0, stopped, switchId));
  }

  async unfinished(): Promise<readonly string[]> {
    const rows = this.#database.prepare(`SELECT DISTINCT switch_id FROM meter_switches WHERE ${OPEN}`).all();
    return rows.map((row) => String(row['switch_id']));
  }

  async counts(switchId: string): Promise<SwitchCounts> {
    const rows = this.#database
      .prepare(
        'SELECT state, reason, count(*) AS n FROM meter_switches WHERE switch_id = ? GROUP BY state, reason',
      )
      .all(switchId);
    const states = new Map<string, number>();
    const exceptions = new Map<string, number>();
    for (const row of rows) {
      const [state, n] = [String(row['state']), Number(row['n'])];
      states.set(state, (states.get(state) ?? 0) + n);
      if (state === 'exception') exceptions.set(String(row['reason']), n);
    }
    return { states, exceptions };
  }

  async meters(switchId: string, which: 'open' | 'all'): Promise<readonly MeterSwitch[]> {
    const where = which === 'open' ? ` AND ${OPEN}` : '';
    return this.#database
      .prepare(`SELECT * FROM meter_switches WHERE switch_id = ?${where} ORDER BY endpoint`)
      .all(switchId)
      .map(toMeter);
  }

  async busyMeters(): Promise<ReadonlySet<string>> {
    const rows = this.#database.prepare(`SELECT endpoint FROM meter_switches WHERE ${OPEN}`).all();
    return new Set(rows.map((row) => String(row['endpoint'])));
  }

  record(meter: MeterSwitch): Promise<void> {
    return this.#writes.write(() => this.#write(meter));
  }

  async close(): Promise<void> {
    await this.#writes.idle();
    this.#database.close();
  }

  #write(m: MeterSwitch): void {
    const { receiptCounter = null, done = null } = m;
    const doubt = m.inDoubt ? 1 : 0;
    const evidence = JSON.stringify(m.evidence);
    this.#put.run(
      m.switchId,
      m.endpoint,
      m.state,
      done,
      doubt,
      m.dueAt,
      m.attempts,
      receiptCounter,
      m.reason,
      m.detail,
      m.takeBack,
      evidence,
    );
  }
}

function toOrder(text: string): SwitchOrder {
  const value: Record<string, unknown> = JSON.parse(text);
  const faults = Array.isArray(value['faults']) ? (value['faults'] as (readonly [string, number])[]) : [];
  return {
    // What this file wrote, it may believe.
    switchId: String(value['switchId']),
    verb: String(value['verb']) as SwitchVerb,
    from: partyId(String(value['from'])),
    to: partyId(String(value['to'])),
    cutOverAt: Number(value['cutOverAt']),
    concurrency: Number(value['concurrency']),
    canaryPercent: Number(value['canaryPercent']),
    stopAbovePercent: Number(value['stopAbovePercent']),
    faults: new Map(faults),
    seed: Number(value['seed']),
  };
}

function toMeter(row: Row): MeterSwitch {
  const evidence: MeterEvidence = JSON.parse(String(row['evidence']));
  return {
    switchId: String(row['switch_id']),
    endpoint: String(row['endpoint']),
    // What this file wrote, it may believe.
    state: String(row['state']) as SwitchState,
    done: typeof row['done'] === 'string' ? (row['done'] as SwitchStep) : undefined,
    inDoubt: row['in_doubt'] === 1,
    dueAt: Number(row['due_at']),
    attempts: Number(row['attempts']),
    receiptCounter: row['receipt_counter'] === null ? undefined : Number(row['receipt_counter']),
    reason: String(row['reason']),
    detail: String(row['detail']),
    takeBack: String(row['take_back']),
    evidence,
  };
}
