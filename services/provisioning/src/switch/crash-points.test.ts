import { deepEqual, equal, ok } from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkRehearsal } from '@sefleet/evidence';
import { SqliteDatabase } from '@sefleet/service';
import { SqlSwitchJournal } from '../store/sql/sql-switch-journal.ts';
import { recordSwitches } from '../testing/rehearsal-record.ts';
import { createSwitchBench, CUT, order, START, type Effect } from '../testing/switch-bench.ts';
import type { SwitchOffice, SwitchRequest } from './switch-office.ts';

const HOUR_MS = 3_600_000;

type Bench = Awaited<ReturnType<typeof createSwitchBench>>;

/** A switch of one meter, and how it has to end wherever the service is killed. */
interface Story {
  readonly name: string;
  readonly faults: Readonly<Record<string, number>>;
  readonly verb: SwitchRequest['verb'];
  /** The old supplier objects when the meter is prepared, and again when nobody has answered. */
  readonly objects: boolean;
  readonly end: readonly [state: string, reason: string];
}

const PLAIN = { faults: {}, verb: 'switch', objects: false, end: ['confirmed', ''] } as const;
const STORIES: readonly Story[] = [
  { ...PLAIN, name: 'a switch' },
  { ...PLAIN, name: 'a move-in', verb: 'move-in' },
  { ...PLAIN, name: 'a switch after its supplier failed', verb: 'forced-switch' },
  { ...PLAIN, name: 'a switch that is taken back', objects: true, end: ['rolled-back', 'objection'] },
  { ...PLAIN, name: 'a switch of a full card', faults: { 'se-full': 100 }, end: ['exception', 'se-full'] },
  {
    ...PLAIN,
    name: 'a switch whose keys were loaded ahead',
    faults: { 'tsm-preload': 100 },
    end: ['exception', 'preloaded-keys'],
  },
];

describe('a service that is killed before or after any record of the journal', () => {
  for (const story of STORIES) {
    it(`ends ${story.name} as if nothing had been`, async () => {
      const [undisturbed] = await live(story, [undefined]);
      const records = undisturbed?.records ?? 0;
      ok(records >= 10, `${records} records`);
      const points = Array.from({ length: records }, (_, i) => i + 1).flatMap((record) => [
        { record, side: 'before' as const },
        { record, side: 'after' as const },
      ]);
      const lives = await live(story, points);
      deepEqual(
        lives.map(({ killed }) => killed),
        points,
      );
    });
  }
});

/** Where a service is killed: at which record of the journal, counted from 1, and on which side of it. */
interface CrashPoint {
  readonly record: number;
  readonly side: Effect['side'];
}

/** One meter for each point, with a service and a journal of its own: all of them in the same time. */
async function live(story: Story, points: readonly (CrashPoint | undefined)[]): Promise<readonly Life[]> {
  const bench = await createSwitchBench(points.length, story.faults);
  const lives = await Promise.all(
    points.map((point, i) => Life.begin(story, bench, bench.endpoints[i] ?? '', point)),
  );
  try {
    await liveOn(bench, lives);
    for (const { office, switchId, killed } of lives) {
      const [meter] = await office.meters(switchId);
      deepEqual([killed, meter?.state, meter?.reason], [killed, ...story.end]);
    }
    const { invariants, meters } = checkRehearsal(await recordSwitches(bench, lives));
    deepEqual(
      invariants.filter(({ holds }) => !holds),
      [],
    );
    equal(meters, lives.length);
  } finally {
    for (const life of lives) await life.close();
    await bench.bench.close();
  }
  return lives;
}

/** Lets time pass until every switch is over, and two hours more. */
async function liveOn(bench: Bench, lives: readonly Life[]): Promise<void> {
  let now = START;
  for (;;) {
    const looks = await Promise.all(lives.map((life) => life.look()));
    if (looks.every(({ done }) => done)) break;
    if (looks.every(({ working }) => working === 0)) {
      const due = looks.flatMap(({ done, nextDueAt }) => (done || nextDueAt <= now ? [] : [nextDueAt]));
      now = Math.max(now + 1000, due.length === 0 ? 0 : Math.min(...due));
      await bench.ground.advance(now);
      for (const life of lives) life.office.advance(now);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  await bench.ground.advance(CUT + 2 * HOUR_MS);
}

/** A meter's switch, in the hands of a service that is killed and of another one after it. */
class Life {
  readonly #story: Story;
  readonly #bench: Bench;
  readonly #endpoint: string;
  readonly #journal: SqlSwitchJournal;
  readonly #point: CrashPoint | undefined;
  readonly #death = Promise.withResolvers<undefined>();
  office: SwitchOffice;
  switchId = '';
  records = 0;
  /** Where the first service was killed; undefined while it lives. */
  killed: CrashPoint | undefined;

  private constructor(
    story: Story,
    bench: Bench,
    endpoint: string,
    point: CrashPoint | undefined,
    journal: SqlSwitchJournal,
  ) {
    this.#story = story;
    this.#bench = bench;
    this.#endpoint = endpoint;
    this.#point = point;
    this.#journal = journal;
    this.office = bench.office({ journal, isAlive: (effect) => this.#isAlive(effect) });
  }

  static async begin(
    story: Story,
    bench: Bench,
    endpoint: string,
    point: CrashPoint | undefined,
  ): Promise<Life> {
    const journal = await SqlSwitchJournal.open(new SqliteDatabase(':memory:'));
    const life = new Life(story, bench, endpoint, point, journal);
    life.switchId = (await life.#alive(life.office.start(life.#request))) ?? '';
    return life;
  }

  /** How the switch stands; does what is to be done about it from outside. */
  async look(): Promise<{ readonly done: boolean; readonly working: number; readonly nextDueAt: number }> {
    if (this.killed !== undefined && this.#isDoomed) await this.#inherit();
    const progress = await this.#alive(this.office.progress(this.switchId));
    if (progress === undefined) return { done: false, working: 1, nextDueAt: 0 };
    const { done, working } = progress;
    if (done || working > 0 || !this.#story.objects) return progress;
    await this.#alive(this.office.control(this.switchId, 'object', [this.#endpoint]));
    return { done, working: 1, nextDueAt: 0 };
  }

  async close(): Promise<void> {
    await this.office.close();
    await this.#journal.close();
  }

  #isDoomed = true;

  get #request(): SwitchRequest {
    const { faults } = this.#bench;
    return { ...order([this.#endpoint], faults), verb: this.#story.verb };
  }

  /** Another service takes over what the first one wrote down; its caller asks for the switch again. */
  async #inherit(): Promise<void> {
    this.#isDoomed = false;
    this.office = this.#bench.office({ journal: this.#journal });
    await this.office.resume();
    this.switchId = await this.office.start(this.#request);
  }

  #isAlive({ method, side }: Effect): boolean {
    if (this.killed === undefined && method === 'record') {
      if (side === 'before') this.records++;
      if (this.#point?.record === this.records && this.#point.side === side) {
        this.killed = this.#point;
        this.#death.resolve(undefined);
      }
    }
    return this.killed === undefined;
  }

  /** What an office answers; undefined when it dies before: then it never does. */
  #alive<T>(answer: Promise<T>): Promise<T | undefined> {
    return this.#isDoomed ? Promise.race([answer, this.#death.promise]) : answer;
  }
}
