import { randomUUID } from 'node:crypto';
import type { SignedStatement } from '@sefleet/evidence';
import type { Runtime } from '@sefleet/runtime';
import { CountedLinks } from '../card-link/counted-links.ts';
import { CARD_PLANS } from '../domain/card-plan.ts';
import { DEVICE_KINDS } from '../domain/device-kind.ts';
import { partyId, type PartyId } from '../domain/party.ts';
import { planMeter, type MeterSwitch } from '../domain/switch/meter-switch.ts';
import { FRESH_COURSE, type SwitchCourse } from '../domain/switch/switch-course.ts';
import {
  checkOrder,
  checkSchedule,
  partsOf,
  type SwitchOrder,
  type SwitchVerb,
} from '../domain/switch/switch-order.ts';
import { stepAfter, stepsLeft, SWITCH_STEPS } from '../domain/switch/switch-state.ts';
import { waveLimits } from '../domain/switch/waves.ts';
import { provisioningError } from '../errors.ts';
import { PROVISIONING_EVENTS } from '../events.ts';
import type { MeterPage, SwitchCounts } from '../store/switch-journal.ts';
import { Campaign, type TakenBack } from './campaign.ts';
import type { MeterRunPorts } from './meter-run.ts';
import type { SwitchClock } from './switch-clock.ts';

/** How far a switch has come. */
export interface SwitchProgress extends Omit<SwitchCounts, 'steps'> {
  /** Meters that are not through, by the step that is next or under way. */
  readonly steps: ReadonlyMap<string, number>;
  /** Steps that all meters have behind them; one that is through has none before it. */
  readonly stepsDone: number;
  readonly stepsTotal: number;
  readonly order: SwitchOrder;
  readonly total: number;
  readonly working: number;
  readonly nextDueAt: number;
  readonly course: SwitchCourse;
  /** The wave that meters are begun of, counted from 1. */
  readonly wave: number;
  /** Meters that something was done for, ever. */
  readonly begun: number;
  readonly done: boolean;
  /** Commands that cards were sent since this office opened. */
  readonly commandsSent: number;
}

/** What is asked of a switch, before it has an id. */
export type SwitchRequest = Omit<SwitchOrder, 'switchId' | 'startedAt' | 'from' | 'to'> & {
  readonly requestId: string;
  readonly from: string;
  readonly to: string;
  readonly endpoints: readonly string[];
  /** What owners of devices signed, by endpoint, for verbs that need their word. */
  readonly mandates?: ReadonlyMap<string, SignedStatement>;
};

const TICK_MS = 500;
const MAX_METERS = 100_000;

/** Takes orders to switch, runs the campaigns and answers how they stand. */
export class SwitchOffice {
  readonly #ports: MeterRunPorts;
  readonly #links: CountedLinks;
  readonly #clock: SwitchClock;
  readonly #runtime: Runtime;
  readonly #campaigns = new Map<string, Campaign>();
  #starting: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(ports: Omit<MeterRunPorts, 'now' | 'wallNow' | 'pause'>, clock: SwitchClock, runtime: Runtime) {
    this.#links = new CountedLinks(ports.links);
    this.#ports = {
      ...ports,
      links: this.#links,
      now: () => clock.now(),
      wallNow: () => runtime.clock.wallMs(),
      pause: (ms) => new Promise((resolve) => void runtime.timers.after(ms, resolve)),
    };
    this.#clock = clock;
    this.#runtime = runtime;
    this.#tick();
  }

  /** Starts a switch, or finds the one that was started by the same request id. */
  start(request: SwitchRequest): Promise<string> {
    // One after the other: what one takes the next finds taken.
    const started = this.#starting.then(() => this.#start(request));
    this.#starting = started.catch(() => undefined);
    return started;
  }

  /**
   * Takes up again what a former process left unfinished; in a rehearsal when it has told what time it is.
   */
  async resume(): Promise<void> {
    for (const switchId of await this.#ports.journal.unfinished()) {
      const order = await this.#ports.journal.order(switchId);
      if (order === undefined) continue;
      const meters = await this.#ports.journal.meters(switchId, 'open');
      this.#ports.log.emit(PROVISIONING_EVENTS.switchResumed, { switchId, meters: meters.length });
      await this.#open(order, meters, await this.#ports.journal.course(switchId));
    }
  }

  /** How far a switch has come. */
  async progress(switchId: string): Promise<SwitchProgress> {
    const order = await this.#order(switchId);
    const counts = await this.#ports.journal.counts(switchId);
    const campaign = this.#campaigns.get(switchId);
    const total = [...counts.states.values()].reduce((sum, n) => sum + n, 0);
    return {
      ...counts,
      ...stepsOf(order.verb, counts, total),
      course: campaign?.course ?? (await this.#ports.journal.course(switchId)),
      order,
      total,
      wave: campaign?.wave ?? waveLimits(total, order.waves).length,
      begun: campaign?.begun ?? total,
      // Until the time is told nobody can say which meters wait: none of them does.
      working: this.#clock.isKnown ? (campaign?.working ?? 0) : total,
      nextDueAt: campaign?.nextDueAt ?? 0,
      done: campaign === undefined || campaign.isOver,
      commandsSent: this.#links.commands,
    };
  }

  /** The order of a switch that is over; one that is not is `PROVISIONING_REQUEST_INVALID`. */
  async ended(switchId: string): Promise<SwitchOrder> {
    const { done, order } = await this.progress(switchId);
    if (!done) throw provisioningError('PROVISIONING_REQUEST_INVALID', `switch ${switchId} is not over`);
    return order;
  }

  /** The switches that were started last, the last one first. */
  async latest(limit: number): Promise<readonly SwitchProgress[]> {
    const found = await this.#ports.journal.latest(limit);
    return Promise.all(found.map((switchId) => this.progress(switchId)));
  }

  /**
   * Pauses, goes on, or takes meters back: all of them, or with `object` those that are named.
   *
   * @throws SefleetError `SWITCH_NOT_FOUND`, `SWITCH_OVER_PRECONDITION`, or `PROVISIONING_DEVICE_NOT_FOUND`
   *   for a meter that is none of its
   */
  async control(
    switchId: string,
    control: 'pause' | 'resume' | 'cancel' | 'object',
    endpoints: readonly string[],
  ): Promise<TakenBack> {
    await this.#order(switchId);
    const campaign = this.#campaigns.get(switchId);
    if (campaign === undefined || campaign.isOver)
      throw provisioningError('SWITCH_OVER_PRECONDITION', `switch ${switchId} is over`, {
        hint: 'Meters that have another supplier by it are moved by another switch.',
      });
    if ((control === 'object') !== endpoints.length > 0)
      throw provisioningError(
        'PROVISIONING_REQUEST_INVALID',
        control === 'object' ? 'an objection names its meters' : `to ${control} is about all meters`,
      );
    this.#ports.log.emit(PROVISIONING_EVENTS.switchControlled, {
      switchId,
      control,
      meters: endpoints.length,
    });
    if (control === 'cancel') return campaign.takeBack('cancelled', []);
    if (control === 'object') {
      await this.#requireMeters(switchId, endpoints);
      return campaign.takeBack('objection', endpoints);
    }
    await (control === 'pause' ? campaign.pause() : campaign.resume());
    return { takenBack: 0, tooLate: 0 };
  }

  /** Rehearsals: what time it is. */
  advance(now: number): void {
    this.#clock.advance(now);
    this.#pump();
  }

  /** How every meter of a switch stands. */
  async meters(switchId: string): Promise<readonly MeterSwitch[]> {
    await this.#order(switchId);
    return this.#ports.journal.meters(switchId, 'all');
  }

  /** Some meters of a switch, in the order of their names. */
  async page(switchId: string, page: MeterPage): Promise<readonly MeterSwitch[]> {
    await this.#order(switchId);
    return this.#ports.journal.page(switchId, page);
  }

  /** Lets steps in work come to an end, begins no others. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#campaigns.values()].map((campaign) => campaign.close()));
  }

  async #start(request: SwitchRequest): Promise<string> {
    const { requestId, endpoints, mandates, ...rest } = request;
    const order: SwitchOrder = {
      ...rest,
      switchId: randomUUID(),
      startedAt: this.#clock.now(),
      from: partyId(request.from),
      to: partyId(request.to),
    };
    checkOrder(order);
    if (requestId === '')
      throw provisioningError('PROVISIONING_REQUEST_INVALID', 'a switch needs a request id');
    const portfolio = await this.#portfolio(order.from);
    const cohort = endpoints.length === 0 ? portfolio : [...new Set(endpoints)];
    const busy = await this.#ports.journal.busyMeters();
    const known = await this.#ports.journal.findRequest(requestId);
    if (known !== undefined) return known;
    if (cohort.length === 0 || cohort.length > MAX_METERS) {
      throw provisioningError(
        'PROVISIONING_REQUEST_INVALID',
        `${order.from} has no meter to give, or too many at once`,
      );
    }
    const served = new Set(portfolio);
    checkSchedule(order, cohort.length);
    const stranger = cohort.find((endpoint) => !served.has(endpoint));
    if (stranger !== undefined)
      throw provisioningError('PROVISIONING_DEVICE_NOT_FOUND', `${stranger} is not served by ${order.from}`);
    const taken = cohort.find((endpoint) => busy.has(endpoint));
    if (taken !== undefined)
      throw provisioningError('SWITCH_IN_PROGRESS_CONFLICT', `${taken} is being switched already`);
    const { switchId, verb, from, to, cutOverAt } = order;
    await this.#checkOther(order, cohort);
    const stray = [...(mandates?.keys() ?? [])].find((endpoint) => !cohort.includes(endpoint));
    if (stray !== undefined)
      throw provisioningError(
        'SWITCH_MANDATE_REFUSED',
        `there is a mandate for ${stray}, which is not asked for`,
      );
    const meters = cohort.map((endpoint) =>
      planMeter(switchId, endpoint, { verb, from, to, cutOverAt }, mandates?.get(endpoint)),
    );
    const started = await this.#ports.journal.start(requestId, order, meters);
    if (started === switchId) await this.#open(order, meters, FRESH_COURSE);
    this.#ports.log.emit(PROVISIONING_EVENTS.switchStarted, { switchId: started, meters: meters.length });
    return started;
  }

  async #open(order: SwitchOrder, meters: readonly MeterSwitch[], course: SwitchCourse): Promise<void> {
    const devices = await this.#ports.store.devices(meters.map(({ endpoint }) => endpoint));
    const { states } = await this.#ports.journal.counts(order.switchId);
    const campaign = new Campaign({ order, meters, devices, states, course }, this.#ports);
    this.#campaigns.set(order.switchId, campaign);
    if (this.#clock.isKnown) campaign.pump();
  }

  async #requireMeters(switchId: string, endpoints: readonly string[]): Promise<void> {
    const own = new Set(await this.#ports.journal.endpoints(switchId));
    const stranger = endpoints.find((endpoint) => !own.has(endpoint));
    if (stranger === undefined) return;
    throw provisioningError('PROVISIONING_DEVICE_NOT_FOUND', `${stranger} is no meter of switch ${switchId}`);
  }

  async #order(switchId: string): Promise<SwitchOrder> {
    const order = await this.#ports.journal.order(switchId);
    if (order === undefined) throw provisioningError('SWITCH_NOT_FOUND', `no switch ${switchId}`);
    return order;
  }

  /** Who comes must not be there, who stays must be; and two at once are not for every kind of device. */
  async #checkOther(order: SwitchOrder, cohort: readonly string[]): Promise<void> {
    const { to, verb } = order;
    const { comes, stays } = partsOf(order);
    const served = new Set(await this.#portfolio(to));
    const wrong = cohort.find((endpoint) => served.has(endpoint) === (comes !== undefined));
    if (wrong !== undefined) {
      const why = comes === undefined ? `is not there to stay on ${wrong}` : `is on ${wrong} already`;
      throw provisioningError('PROVISIONING_REQUEST_INVALID', `${to} ${why}`);
    }
    if (stays === undefined) return;
    const devices = await this.#ports.store.devices(cohort);
    const single = [...devices.values()].find(({ kind }) => !CARD_PLANS[kind].severalSuppliers);
    if (single === undefined) return;
    throw provisioningError('PROVISIONING_REQUEST_INVALID', `${verb} is not for ${single.kind}s`, {
      hint: `${single.endpoint} has one ${CARD_PLANS[single.kind].supplier} at a time: use switch.`,
    });
  }

  async #portfolio(party: PartyId): Promise<readonly string[]> {
    const roles = new Set(DEVICE_KINDS.map((kind) => CARD_PLANS[kind].supplier));
    const lists = await Promise.all([...roles].map((role) => this.#ports.store.portfolio(party, role)));
    return lists.flat();
  }

  #pump(): void {
    for (const campaign of this.#campaigns.values()) campaign.pump();
  }

  /** Outside of rehearsals time passes by itself. */
  #tick(): void {
    this.#runtime.timers.after(TICK_MS, () => {
      if (this.#closed) return;
      if (this.#clock.isKnown) this.#pump();
      this.#tick();
    });
  }
}

function stepsOf(verb: SwitchVerb, { steps }: SwitchCounts, total: number) {
  const next = new Map<string, number>();
  let left = 0;
  for (const [done, meters] of steps) {
    left += meters * stepsLeft(verb, done);
    const rule = stepAfter(verb, done);
    if (rule !== undefined) next.set(rule.step, meters);
  }
  const stepsTotal = total * SWITCH_STEPS[verb].length;
  return { steps: next, stepsDone: stepsTotal - left, stepsTotal };
}
