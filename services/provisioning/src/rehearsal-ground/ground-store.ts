import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { fromHex, toHex } from '@sefleet/bytes';
import { aid, type Aid } from '@sefleet/globalplatform';
import type { GroundPlan } from './ground-plan.ts';
import type { MeterMemory, TakenReading } from './virtual-meter.ts';

/** What of a meter never changes. */
export interface KeptPlace {
  readonly number: number;
  readonly endpoint: string;
  readonly recordsApplet: Aid;
}

/** What of a meter changes, as it is kept. */
export interface KeptState {
  readonly memory: MeterMemory;
  /** Commands that its card was sent. */
  readonly count: number;
  /** The last of them, for replays. */
  readonly earlier: readonly Uint8Array[];
}

/** A meter as it is found again. */
export interface KeptMeter extends KeptPlace, KeptState {
  readonly card: Uint8Array;
  /** The card that answers in its place, where cards were swapped. */
  readonly other: Uint8Array | undefined;
  readonly records: readonly Uint8Array[];
  readonly exchanges: readonly Uint8Array[];
}

/** What has changed of one meter since it was kept last. */
export interface MeterChange {
  readonly number: number;
  readonly state: KeptState;
  /** Undefined for a card that is as it was. */
  readonly card: Uint8Array | undefined;
  readonly other: Uint8Array | undefined;
  readonly records: readonly Uint8Array[];
  readonly exchanges: readonly Uint8Array[];
}

const SCHEMA = `
CREATE TABLE IF NOT EXISTS ground (
  id INTEGER PRIMARY KEY CHECK (id = 1), plan TEXT NOT NULL, now INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS meter (
  number INTEGER PRIMARY KEY, endpoint TEXT NOT NULL, applet TEXT NOT NULL, state TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS card (
  number INTEGER NOT NULL, other INTEGER NOT NULL, image BLOB NOT NULL, PRIMARY KEY (number, other)
) STRICT;
CREATE TABLE IF NOT EXISTS sealed_record (
  position INTEGER PRIMARY KEY, number INTEGER NOT NULL, value BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS exchange (
  position INTEGER PRIMARY KEY, number INTEGER NOT NULL, value BLOB NOT NULL
) STRICT;
`;

/**
 * The ground on disk: whatever somebody was told is there, however the process ends. One transaction takes
 * all that has changed of a meter, so that card, register and records never contradict each other.
 */
export class GroundStore {
  readonly #database: DatabaseSync;
  readonly #putNow: StatementSync;
  readonly #putState: StatementSync;
  readonly #putCard: StatementSync;
  readonly #addRecord: StatementSync;
  readonly #addExchange: StatementSync;

  /** @param file path of the database, or `:memory:` */
  constructor(file: string) {
    if (file !== ':memory:') mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    this.#database = new DatabaseSync(file);
    if (file !== ':memory:') chmodSync(file, 0o600);
    this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000');
    this.#database.exec(SCHEMA);
    const prepare = (sql: string): StatementSync => this.#database.prepare(sql);
    this.#putNow = prepare('UPDATE ground SET now = ?');
    this.#putState = prepare('UPDATE meter SET state = ? WHERE number = ?');
    this.#putCard = prepare('INSERT OR REPLACE INTO card VALUES (?, ?, ?)');
    this.#addRecord = prepare('INSERT INTO sealed_record (number, value) VALUES (?, ?)');
    this.#addExchange = prepare('INSERT INTO exchange (number, value) VALUES (?, ?)');
  }

  /** The rehearsal that was prepared here and how far its time has come; undefined before it was. */
  ground(): { readonly plan: GroundPlan; readonly now: number } | undefined {
    const row = this.#database.prepare('SELECT plan, now FROM ground').get();
    return row && { plan: planFrom(String(row['plan'])), now: Number(row['now']) };
  }

  /** Keeps a whole ground, or nothing of it. */
  putUp(plan: GroundPlan, places: readonly KeptPlace[], changes: readonly MeterChange[]): void {
    this.#atomically(() => {
      const put = this.#database.prepare("INSERT INTO meter VALUES (?, ?, ?, '')");
      for (const { number, endpoint, recordsApplet } of places) put.run(number, endpoint, recordsApplet);
      const text = JSON.stringify({ ...plan, faults: [...plan.faults] });
      this.#database.prepare('INSERT INTO ground VALUES (1, ?, ?)').run(text, plan.startAt);
      for (const change of changes) this.#put(change);
    });
  }

  /** Keeps what has changed, and how far time has come. */
  keep(changes: readonly MeterChange[], now: number): void {
    this.#atomically(() => {
      this.#putNow.run(Math.round(now));
      for (const change of changes) this.#put(change);
    });
  }

  /** All meters, in the order in which they were put up. */
  *meters(): Iterable<KeptMeter> {
    const records = this.#lists('SELECT number, value FROM sealed_record ORDER BY position');
    const exchanges = this.#lists('SELECT number, value FROM exchange ORDER BY position');
    const cards = this.#lists('SELECT number, image AS value FROM card ORDER BY number, other');
    for (const row of this.#database.prepare('SELECT * FROM meter ORDER BY number').all()) {
      const number = Number(row['number']);
      const [card = new Uint8Array(), other] = cards.get(number) ?? [];
      yield {
        number,
        endpoint: String(row['endpoint']),
        recordsApplet: aid(String(row['applet'])),
        ...stateFrom(String(row['state'])),
        card,
        other,
        records: records.get(number) ?? [],
        exchanges: exchanges.get(number) ?? [],
      };
    }
  }

  close(): void {
    this.#database.close();
  }

  #put({ number, state, card, other, records, exchanges }: MeterChange): void {
    this.#putState.run(stateText(state), number);
    if (card !== undefined) this.#putCard.run(number, 0, card);
    if (other !== undefined) this.#putCard.run(number, 1, other);
    for (const record of records) this.#addRecord.run(number, record);
    for (const exchange of exchanges) this.#addExchange.run(number, exchange);
  }

  #lists(sql: string): ReadonlyMap<number, Uint8Array[]> {
    const lists = new Map<number, Uint8Array[]>();
    for (const { number, value } of this.#database.prepare(sql).iterate()) {
      if (!(value instanceof Uint8Array)) continue;
      const known = lists.get(Number(number));
      if (known === undefined) lists.set(Number(number), [value]);
      else known.push(value);
    }
    return lists;
  }

  #atomically(run: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      run();
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#database.exec('ROLLBACK');
      throw error;
    }
  }
}

function planFrom(text: string): GroundPlan {
  // What this file wrote, it may believe.
  const { faults, ...plan } = JSON.parse(text) as GroundPlan & { faults: [string, number][] };
  return { ...plan, faults: new Map(faults) };
}

/** The state of a meter as text: bytes in hexadecimal. */
interface StateText {
  readonly nextAt: number;
  readonly instant: number | undefined;
  readonly order: string | undefined;
  readonly cutOver:
    | {
        readonly instant: number;
        readonly closing: string | undefined;
        readonly opening: string | undefined;
      }
    | undefined;
  readonly taken: readonly TakenReading[];
  readonly readers: MeterMemory['readers'];
  readonly count: number;
  readonly earlier: readonly string[];
}

function stateText({ memory, count, earlier }: KeptState): string {
  const { nextAt, instant, order, cutOver, taken, readers } = memory;
  const text: StateText = {
    nextAt,
    instant,
    order: order && toHex(order),
    cutOver: cutOver && {
      instant: cutOver.instant,
      closing: cutOver.records.closing && toHex(cutOver.records.closing),
      opening: cutOver.records.opening && toHex(cutOver.records.opening),
    },
    taken,
    readers,
    count,
    earlier: earlier.map(toHex),
  };
  return JSON.stringify(text);
}

function stateFrom(text: string): KeptState {
  // What this file wrote, it may believe.
  const { count, earlier, ...memory } = JSON.parse(text) as StateText;
  const { order, cutOver } = memory;
  return {
    memory: {
      ...memory,
      instant: memory.instant,
      order: order === undefined ? undefined : fromHex(order),
      cutOver: cutOver && {
        instant: cutOver.instant,
        records: {
          ...(cutOver.closing === undefined ? {} : { closing: fromHex(cutOver.closing) }),
          ...(cutOver.opening === undefined ? {} : { opening: fromHex(cutOver.opening) }),
        },
      },
    },
    count,
    earlier: earlier.map(fromHex),
  };
}
