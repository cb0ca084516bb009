import type { MeterSwitch } from '../domain/switch/meter-switch.ts';
import { cancel, goOn, interrupt, isResting, type SwitchCourse } from '../domain/switch/switch-course.ts';
import type { SwitchOrder, SwitchVerb } from '../domain/switch/switch-order.ts';
import { canBeTakenBack, isSwitchOver, needsHeadEnd } from '../domain/switch/switch-state.ts';
import { reasonToStop, stopNeeds, waveLimits } from '../domain/switch/waves.ts';
import { PROVISIONING_EVENTS } from '../events.ts';
import type { Device } from '../store/provisioning-store.ts';
import type { SwitchCounts } from '../store/switch-journal.ts';
import { Gates } from './gates.ts';
import { MeterRun, type MeterRunPorts } from './meter-run.ts';

/** What became of a wish to take meters back. */
export interface TakenBack {
  /** Taken back, or as soon as the step in work is done. */
  readonly takenBack: number;
  /** Behind their cut-over reading: they can only go on. */
  readonly tooLate: number;
}

/** What a campaign goes on from. */
export interface CampaignStart {
  readonly order: SwitchOrder;
  /** Those that are not over, in the order in which they are begun. */
  readonly meters: readonly MeterSwitch[];
  readonly devices: ReadonlyMap<string, Device>;
  /** Of all meters. */
  readonly states: SwitchCounts['states'];
  readonly course: SwitchCourse;
}

/** Meters that are due: to be taken back, to go on without the head end, to go on with it. */
type Line = 'back' | 'free' | 'headEnd';

/** The open meters of one switch: which wait, which are worked on, and when to stop. */
export class Campaign {
  readonly #order: SwitchOrder;
  readonly #devices: ReadonlyMap<string, Device>;
  readonly #ports: MeterRunPorts;
  readonly #gates: Gates;
  readonly #limits: readonly number[];
  readonly #total: number;
  /** Nothing was done for them yet. */
  #fresh: MeterSwitch[] = [];
  /** By the time at which they are due. */
  #waiting: MeterSwitch[] = [];
  #nextDueAt = Infinity;
  readonly #lines: Readonly<Record<Line, MeterSwitch[]>> = { back: [], free: [], headEnd: [] };
  readonly #working = new Map<string, Promise<void>>();
  readonly #wishes = new Map<string, string>();
  /** Meters that are prepared for the instant or over: how a wave and the share of failures are judged. */
  readonly #staged = new Set<string>();
  #over: number;
  #failed: number;
  /** Nobody works on them any more in this process. */
  #crashed = 0;
  #course: SwitchCourse;
  #closed = false;

  constructor({ order, meters, devices, states, course }: CampaignStart, ports: MeterRunPorts) {
    this.#order = order;
    this.#devices = devices;
    this.#ports = ports;
    this.#course = course;
    this.#gates = new Gates(order.ratePerMinute, course);
    this.#total = [...states.values()].reduce((sum, n) => sum + n, 0);
    this.#over = this.#total - meters.length;
    this.#failed = states.get('exception') ?? 0;
    this.#limits = waveLimits(this.#total, order.waves);
    for (const meter of meters) {
      if (meter.state === 'credential-staged') this.#staged.add(meter.endpoint);
      if (isFresh(meter)) this.#fresh.push(meter);
      else this.#wait(meter);
    }
  }

  get course(): SwitchCourse {
    return this.#course;
  }

  /** Meters that are worked on or only wait for a place; not those that a gate holds back. */
  get working(): number {
    const now = this.#ports.now();
    // Between the end of a step and the next look at what is due, a meter seems to wait.
    this.#sortDue(now);
    const { back, free, headEnd } = this.#lines;
    const working = this.#working.size + back.length;
    if (isResting(this.#course)) return working;
    const begin = this.#gates.begin.room(now, this.#waveRoom(now));
    return working + free.length + this.#gates.headEnd.room(now, headEnd.length) + begin;
  }

  /** When the next meter becomes due, or a gate opens for one that is; 0 when none waits. */
  get nextDueAt(): number {
    const now = this.#ports.now();
    const times = [this.#nextDueAt];
    if (!isResting(this.#course)) {
      if (this.#lines.headEnd.length > 0) times.push(this.#gates.headEnd.nextAt(now));
      if (this.#waveRoom(now) > 0) times.push(this.#gates.begin.nextAt(now));
      else if (this.#fresh.length > 0) times.push(this.#nextWaveAt(now));
    }
    const next = Math.min(...times);
    return Number.isFinite(next) ? next : 0;
  }

  get isOver(): boolean {
    return this.#over + this.#crashed === this.#total;
  }

  /** Meters that something was done for, ever. */
  get begun(): number {
    return this.#total - this.#fresh.length;
  }

  /** The wave that meters are begun of, counted from 1. */
  get wave(): number {
    const at = this.#limits.findIndex((limit) => this.begun < limit);
    return at < 0 ? this.#limits.length : at + 1;
  }

  /** Rests until it is resumed; meters are still taken back. */
  async pause(): Promise<void> {
    await this.#steer(interrupt(this.#course, this.#ports.now(), ''));
  }

  /** Goes on after a pause, or after it had stopped by itself: failures are counted anew then. */
  async resume(): Promise<void> {
    const judged = { passed: this.#passed, failed: this.#failed };
    this.#gates.rest();
    await this.#steer(goOn(this.#course, this.#ports.now(), judged));
    this.pump();
  }

  /** Has meters taken back: those named, or all. */
  async takeBack(why: string, endpoints: readonly string[]): Promise<TakenBack> {
    const named = new Set(endpoints);
    const isMeant = (endpoint: string): boolean => named.size === 0 || named.has(endpoint);
    const working = [...this.#working.keys()].filter(isMeant);
    for (const endpoint of working) this.#wishes.set(endpoint, why);
    const idle = [...this.#fresh, ...this.#waiting, ...Object.values(this.#lines).flat()];
    const meant = idle.filter(({ endpoint }) => isMeant(endpoint));
    const back = meant.filter(({ done, inDoubt }) => canBeTakenBack(this.#order.verb, done, inDoubt));
    const taken = new Set(back.map(({ endpoint }) => endpoint));
    const stays = ({ endpoint }: MeterSwitch): boolean => !taken.has(endpoint);
    this.#fresh = this.#fresh.filter(stays);
    this.#waiting = this.#waiting.filter(stays);
    for (const line of Object.values(this.#lines)) line.splice(0, Infinity, ...line.filter(stays));
    const wished = back.map((meter) => ({ ...meter, takeBack: why, dueAt: 0 }));
    // In the journal before anything is done about it: what is written later is written after it.
    const written = wished.map((meter) => this.#ports.journal.record(meter));
    this.#lines.back.push(...wished);
    if (named.size === 0) written.push(this.#steer(cancel(this.#course, this.#ports.now())));
    await Promise.all(written);
    this.pump();
    return { takenBack: working.length + back.length, tooLate: meant.length - back.length };
  }

  /** Begins whatever is due, as far as concurrency, rate, waves and controls allow. */
  pump(): void {
    if (this.#closed) return;
    const now = this.#ports.now();
    this.#sortDue(now);
    this.#noteWaves(now);
    const { back, free, headEnd } = this.#lines;
    this.#work(back, () => true);
    if (isResting(this.#course)) return;
    this.#work(free, () => true);
    this.#work(headEnd, () => this.#gates.headEnd.take(now));
    this.#work(this.#fresh, () => this.#waveRoom(now) > 0 && this.#gates.begin.take(now));
    this.#gates.headEnd.leave(headEnd.length > 0);
    this.#gates.begin.leave(this.#waveRoom(now) > 0);
    const change = this.#gates.takeChange();
    if (change !== undefined) this.#note(change);
  }

  /** Lets meters in work come to the end of their step. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#working.values());
  }

  get #passed(): number {
    return this.#over + this.#staged.size;
  }

  #wait(meter: MeterSwitch): void {
    this.#waiting.push(meter);
    this.#nextDueAt = Math.min(this.#nextDueAt, meter.dueAt);
  }

  #sortDue(now: number): void {
    if (this.#nextDueAt > now) return;
    const due = this.#waiting.filter(({ dueAt }) => dueAt <= now);
    this.#waiting = this.#waiting.filter(({ dueAt }) => dueAt > now);
    this.#nextDueAt = this.#waiting.reduce((next, { dueAt }) => Math.min(next, dueAt), Infinity);
    for (const meter of due) this.#lines[lineOf(this.#order.verb, meter)].push(meter);
  }

  /** When each wave was prepared, the one that is at `now` included. */
  #preparedAt(now: number): readonly number[] {
    const preparedAt = [...this.#course.preparedAt];
    while (this.#passed >= (this.#limits[preparedAt.length] ?? Infinity)) preparedAt.push(now);
    return preparedAt;
  }

  #noteWaves(now: number): void {
    const preparedAt = this.#preparedAt(now);
    if (preparedAt.length > this.#course.preparedAt.length) this.#note({ preparedAt });
  }

  /** How many may be begun now for all that waves say. */
  #waveRoom(now: number): number {
    const preparedAt = this.#preparedAt(now);
    const isPause = preparedAt.length > 0 && now < this.#pauseEnd(preparedAt);
    return (this.#limits[preparedAt.length - (isPause ? 1 : 0)] ?? this.#total) - this.begun;
  }

  /** When the pause after a wave is over; never while none is. */
  #nextWaveAt(now: number): number {
    const end = this.#pauseEnd(this.#preparedAt(now));
    return end > now ? end : Infinity;
  }

  #pauseEnd(preparedAt: readonly number[]): number {
    return (preparedAt.at(-1) ?? 0) + this.#order.wavePauseMs;
  }

  #work(line: MeterSwitch[], mayGo: () => boolean): void {
    while (line.length > 0 && this.#working.size < this.#order.concurrency && mayGo()) {
      const meter = line.shift();
      if (meter !== undefined) this.#run(meter);
    }
  }

  #run(meter: MeterSwitch): void {
    const device = this.#devices.get(meter.endpoint);
    if (device === undefined) return;
    const run = new MeterRun(this.#order, meter, device, this.#ports);
    const work = run
      .advance((now) => this.#shouldRest(meter, now))
      .then((after) => this.#settle(after))
      .catch((error: unknown) => {
        this.#crashed++;
        this.#ports.log.emit(PROVISIONING_EVENTS.switchCrashed, { endpoint: meter.endpoint, error });
      })
      .finally(() => {
        this.#working.delete(meter.endpoint);
        setImmediate(() => this.pump());
      });
    this.#working.set(meter.endpoint, work);
  }

  /** Whether a meter that was taken up as `before` goes no further for now. */
  #shouldRest(before: MeterSwitch, now: MeterSwitch): boolean {
    if (this.#closed || this.#wishes.has(now.endpoint)) return true;
    if (goesBack(this.#order.verb, now)) return false;
    const { verb } = this.#order;
    // Whoever came without the head end waits for a place there.
    const comesToDoor = needsHeadEnd(verb, now.done) && !needsHeadEnd(verb, before.done);
    return isResting(this.#course) || (this.#order.ratePerMinute > 0 && comesToDoor);
  }

  async #settle(after: MeterSwitch): Promise<void> {
    const { endpoint, state } = after;
    const wish = this.#wishes.get(endpoint);
    this.#wishes.delete(endpoint);
    this.#staged.delete(endpoint);
    if (isSwitchOver(state)) {
      this.#over++;
      if (state === 'exception') this.#failed++;
    } else if (after.state === 'credential-staged') this.#staged.add(endpoint);
    this.#noteWaves(this.#ports.now());
    if (isSwitchOver(state) || state === 'credential-staged') await this.#stopWhenTooBad();
    if (isSwitchOver(state)) return;
    const wished = wish === undefined ? after : { ...after, takeBack: wish, dueAt: 0 };
    if (wish === undefined || !goesBack(this.#order.verb, wished)) return this.#wait(after);
    await this.#ports.journal.record(wished);
    this.#wait(wished);
  }

  async #stopWhenTooBad(): Promise<void> {
    const { stopAbovePercent, waves, switchId } = this.#order;
    const { judged, stopped } = this.#course;
    const tally = { passed: this.#passed - judged.passed, failed: this.#failed - judged.failed };
    const reason = reasonToStop(tally, stopAbovePercent, stopNeeds(this.#total, waves));
    if (reason === undefined || stopped !== '') return;
    this.#ports.log.emit(PROVISIONING_EVENTS.switchStopped, { switchId, reason });
    await this.#steer(interrupt(this.#course, this.#ports.now(), reason));
  }

  /** Sets the course; resolves when it is written down. */
  #steer(course: SwitchCourse): Promise<void> {
    this.#course = course;
    return this.#ports.journal.putCourse(this.#order.switchId, course);
  }

  /** Writes down what was let through, together with what comes of it. */
  #note(change: Partial<SwitchCourse>): void {
    this.#steer({ ...this.#course, ...change }).catch((error: unknown) => {
      const { switchId } = this.#order;
      this.#ports.log.emit(PROVISIONING_EVENTS.switchCrashed, { switchId, error });
    });
  }
}

/** Nothing of its switch was tried yet, and nobody wants it taken back. */
function isFresh({ done, attempts, takeBack }: MeterSwitch): boolean {
  return done === undefined && attempts === 0 && takeBack === '';
}

/** On its way back to the old supplier. */
function goesBack(verb: SwitchVerb, { done, inDoubt, takeBack }: MeterSwitch): boolean {
  return takeBack !== '' && canBeTakenBack(verb, done, inDoubt);
}

function lineOf(verb: SwitchVerb, meter: MeterSwitch): Line {
  if (goesBack(verb, meter)) return 'back';
  return needsHeadEnd(verb, meter.done) ? 'headEnd' : 'free';
}
