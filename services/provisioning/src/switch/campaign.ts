import type { MeterSwitch } from '../domain/switch/meter-switch.ts';
import { openWave, reasonToStop, stopNeeds, type SwitchOrder } from '../domain/switch/switch-order.ts';
import { isSwitchOver } from '../domain/switch/switch-state.ts';
import { PROVISIONING_EVENTS } from '../events.ts';
import type { Device } from '../store/provisioning-store.ts';
import type { SwitchControls } from '../store/switch-journal.ts';
import { MeterRun, type MeterRunPorts } from './meter-run.ts';

/** The open meters of one switch: which wait, which are worked on, and when to stop. */
export class Campaign {
  readonly #order: SwitchOrder;
  readonly #devices: ReadonlyMap<string, Device>;
  readonly #ports: MeterRunPorts;
  /** Meters by the time at which they are due. */
  #waiting: MeterSwitch[];
  /** Meters that are due. */
  readonly #ready: MeterSwitch[] = [];
  readonly #working = new Map<string, Promise<void>>();
  readonly #wishes = new Map<string, string>();
  readonly #total: number;
  #begun = 0;
  /** Meters that are prepared for the instant or over: how a wave and the share of failures are judged. */
  readonly #passed = new Set<string>();
  #failed = 0;
  #paused: boolean;
  #stopped: string;
  #closed = false;

  constructor(
    order: SwitchOrder,
    meters: readonly MeterSwitch[],
    devices: ReadonlyMap<string, Device>,
    controls: SwitchControls,
    ports: MeterRunPorts,
  ) {
    this.#order = order;
    this.#waiting = [...meters];
    this.#total = meters.length;
    for (const meter of meters) if (isPassed(meter)) this.#passed.add(meter.endpoint);
    this.#devices = devices;
    this.#ports = ports;
    this.#paused = controls.paused;
    this.#stopped = controls.stopped;
  }

  /** Meters that are worked on or only wait for a place; not those that a wave holds back. */
  get working(): number {
    const fresh = this.#ready.filter(isFresh).length;
    const held = Math.max(0, fresh - Math.max(0, this.#wave()));
    return this.#working.size + this.#ready.length - held;
  }

  /** When the next meter becomes due; 0 when none waits. */
  get nextDueAt(): number {
    return this.#waiting.reduce((next, { dueAt }) => (next === 0 ? dueAt : Math.min(next, dueAt)), 0);
  }

  get isOver(): boolean {
    return this.#waiting.length === 0 && this.#ready.length === 0 && this.#working.size === 0;
  }

  setPaused(paused: boolean): void {
    this.#paused = paused;
    if (!paused) this.#stopped = '';
    this.pump();
  }

  /** Has meters taken back: those named, or all. */
  async takeBack(why: string, endpoints: readonly string[]): Promise<void> {
    const named = new Set(endpoints);
    const isMeant = ({ endpoint }: { readonly endpoint: string }): boolean =>
      named.size === 0 || named.has(endpoint);
    for (const endpoint of this.#working.keys()) if (isMeant({ endpoint })) this.#wishes.set(endpoint, why);
    const wishes = [...this.#waiting, ...this.#ready].filter(isMeant);
    for (const meter of wishes) {
      const wished = { ...meter, takeBack: why, dueAt: 0 };
      this.#waiting = this.#waiting.filter((other) => other !== meter);
      const at = this.#ready.indexOf(meter);
      if (at >= 0) this.#ready.splice(at, 1);
      await this.#ports.journal.record(wished);
      this.#waiting.push(wished);
    }
    this.pump();
  }

  /** Begins whatever is due, as far as concurrency, waves and controls allow. */
  pump(): void {
    if (this.#closed || this.#paused) return;
    const now = this.#ports.now();
    if (this.#waiting.some(({ dueAt }) => dueAt <= now)) {
      this.#ready.push(...this.#waiting.filter(({ dueAt }) => dueAt <= now));
      this.#waiting = this.#waiting.filter(({ dueAt }) => dueAt > now);
    }
    let wave = this.#wave();
    for (let i = 0; i < this.#ready.length && this.#working.size < this.#order.concurrency;) {
      const meter = this.#ready[i];
      if (meter === undefined) break;
      const takenBack = meter.takeBack !== '';
      const first = isFresh(meter);
      // A switch that stopped by itself begins nothing, but lets meters be taken back.
      if ((first && wave <= 0) || (this.#stopped !== '' && !takenBack)) {
        i++;
        continue;
      }
      if (first) {
        wave--;
        this.#begun++;
      }
      this.#ready.splice(i, 1);
      this.#work(meter);
    }
  }

  /** Lets meters in work come to the end of their step. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#working.values());
  }

  #wave(): number {
    return openWave(this.#total, this.#order.canaryPercent, this.#begun, this.#passed.size);
  }

  #work(meter: MeterSwitch): void {
    const device = this.#devices.get(meter.endpoint);
    if (device === undefined) return;
    const run = new MeterRun(this.#order, meter, device, this.#ports);
    const work = run
      .advance(() => this.#closed || this.#paused || this.#wishes.has(meter.endpoint))
      .then((after) => this.#settle(after))
      .catch((error: unknown) =>
        this.#ports.log.emit(PROVISIONING_EVENTS.switchCrashed, { endpoint: meter.endpoint, error }),
      )
      .finally(() => {
        this.#working.delete(meter.endpoint);
        setImmediate(() => this.pump());
      });
    this.#working.set(meter.endpoint, work);
  }

  async #settle(after: MeterSwitch): Promise<void> {
    const wish = this.#wishes.get(after.endpoint);
    this.#wishes.delete(after.endpoint);
    if (after.state === 'exception') this.#failed++;
    if (isPassed(after)) {
      this.#passed.add(after.endpoint);
      await this.#stopWhenTooBad();
    }
    if (isSwitchOver(after.state)) return;
    if (wish === undefined) this.#waiting.push(after);
    else {
      const wished = { ...after, takeBack: wish, dueAt: 0 };
      await this.#ports.journal.record(wished);
      this.#waiting.push(wished);
    }
  }

  async #stopWhenTooBad(): Promise<void> {
    const needs = stopNeeds(this.#total, this.#order.canaryPercent);
    const reason = reasonToStop(this.#passed.size, this.#failed, this.#order.stopAbovePercent, needs);
    if (reason === undefined || this.#stopped !== '') return;
    this.#stopped = reason;
    this.#ports.log.emit(PROVISIONING_EVENTS.switchStopped, { switchId: this.#order.switchId, reason });
    await this.#ports.journal.control(this.#order.switchId, { paused: true, stopped: reason });
  }
}

/** Nothing of its switch was tried yet, and nobody wants it taken back. */
function isFresh({ done, attempts, takeBack }: MeterSwitch): boolean {
  return done === undefined && attempts === 0 && takeBack === '';
}

/** The first half is behind it: it waits for the instant, or is through. */
function isPassed({ state }: MeterSwitch): boolean {
  return state === 'credential-staged' || isSwitchOver(state);
}
