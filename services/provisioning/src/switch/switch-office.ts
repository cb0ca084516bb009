import { randomUUID } from 'node:crypto';
import type { Runtime } from '@sefleet/runtime';
import { CountedLinks } from '../card-link/counted-links.ts';
import { CARD_PLANS } from '../domain/card-plan.ts';
import { DEVICE_KINDS } from '../domain/device-kind.ts';
import { partyId } from '../domain/party.ts';
import { planMeter, type MeterSwitch } from '../domain/switch/meter-switch.ts';
import { checkOrder, type SwitchOrder } from '../domain/switch/switch-order.ts';
import { provisioningError } from '../errors.ts';
import { PROVISIONING_EVENTS } from '../events.ts';
import type { SwitchCounts } from '../store/switch-journal.ts';
import { Campaign } from './campaign.ts';
import type { MeterRunPorts } from './meter-run.ts';
import type { SwitchClock } from './switch-clock.ts';

/** How far a switch has come. */
export interface SwitchProgress extends SwitchCounts {
  readonly order: SwitchOrder;
  readonly total: number;
  readonly working: number;
  readonly nextDueAt: number;
  readonly paused: boolean;
  readonly stopped: string;
  readonly done: boolean;
  /** Commands that cards were sent since this office opened. */
  readonly commandsSent: number;
}

/** What is asked of a switch, before it has an id. */
export type SwitchRequest = Omit<SwitchOrder, 'switchId' | 'from' | 'to'> & {
  readonly requestId: string;
  readonly from: string;
  readonly to: string;
  readonly endpoints: readonly string[];
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
  async start(request: SwitchRequest): Promise<string> {
    const { requestId, endpoints, ...rest } = request;
    const order: SwitchOrder = {
      ...rest,
      switchId: randomUUID(),
      from: partyId(request.from),
      to: partyId(request.to),
    };
    checkOrder(order);
    if (requestId === '')
      throw provisioningError('PROVISIONING_REQUEST_INVALID', 'a switch needs a request id');
    const portfolio = await this.#portfolio(order);
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
    const stranger = cohort.find((endpoint) => !served.has(endpoint));
    if (stranger !== undefined)
      throw provisioningError('PROVISIONING_DEVICE_NOT_FOUND', `${stranger} is not served by ${order.from}`);
    const taken = cohort.find((endpoint) => busy.has(endpoint));
    if (taken !== undefined)
      throw provisioningError('SWITCH_IN_PROGRESS_CONFLICT', `${taken} is being switched already`);
    const { switchId, verb, from, to, cutOverAt } = order;
    const meters = cohort.map((endpoint) => planMeter(switchId, endpoint, { verb, from, to, cutOverAt }));
    const started = await this.#ports.journal.start(requestId, order, meters);
    if (started === switchId) await this.#open(order, meters);
    this.#ports.log.emit(PROVISIONING_EVENTS.switchStarted, { switchId: started, meters: meters.length });
    return started;
  }

  /** Takes up again what a former process left unfinished. */
  async resume(): Promise<void> {
    for (const switchId of await this.#ports.journal.unfinished()) {
      const order = await this.#ports.journal.order(switchId);
      if (order === undefined) continue;
      const meters = await this.#ports.journal.meters(switchId, 'open');
      this.#ports.log.emit(PROVISIONING_EVENTS.switchResumed, { switchId, meters: meters.length });
      await this.#open(order, meters);
    }
  }

  /** How far a switch has come. */
  async progress(switchId: string): Promise<SwitchProgress> {
    const order = await this.#order(switchId);
    const counts = await this.#ports.journal.counts(switchId);
    const controls = await this.#ports.journal.controls(switchId);
    const campaign = this.#campaigns.get(switchId);
    const total = [...counts.states.values()].reduce((sum, n) => sum + n, 0);
    return {
      ...counts,
      ...controls,
      order,
      total,
      working: campaign?.working ?? 0,
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

  /** Pauses, goes on, or takes meters back; without endpoints all of them. */
  async control(
    switchId: string,
    control: 'pause' | 'resume' | 'cancel' | 'object',
    endpoints: readonly string[],
  ): Promise<void> {
    await this.#order(switchId);
    const campaign = this.#campaigns.get(switchId);
    if (control === 'pause' || control === 'resume') {
      await this.#ports.journal.control(switchId, { paused: control === 'pause', stopped: '' });
      campaign?.setPaused(control === 'pause');
    } else await campaign?.takeBack(control === 'cancel' ? 'cancelled' : 'objection', endpoints);
  }

  /** Rehearsals: what time it is. */
  advance(now: number): void {
    this.#clock.advance(now);
    for (const campaign of this.#campaigns.values()) campaign.pump();
  }

  /** How every meter of a switch stands. */
  async meters(switchId: string): Promise<readonly MeterSwitch[]> {
    await this.#order(switchId);
    return this.#ports.journal.meters(switchId, 'all');
  }

  /** Lets steps in work come to an end, begins no others. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#campaigns.values()].map((campaign) => campaign.close()));
  }

  async #open(order: SwitchOrder, meters: readonly MeterSwitch[]): Promise<void> {
    const devices = await this.#ports.store.devices(meters.map(({ endpoint }) => endpoint));
    const controls = await this.#ports.journal.controls(order.switchId);
    const campaign = new Campaign(order, meters, devices, controls, this.#ports);
    this.#campaigns.set(order.switchId, campaign);
    campaign.pump();
  }

  async #order(switchId: string): Promise<SwitchOrder> {
    const order = await this.#ports.journal.order(switchId);
    if (order === undefined) throw provisioningError('SWITCH_NOT_FOUND', `no switch ${switchId}`);
    return order;
  }

  async #portfolio({ from }: SwitchOrder): Promise<readonly string[]> {
    const roles = new Set(DEVICE_KINDS.map((kind) => CARD_PLANS[kind].supplier));
    const lists = await Promise.all([...roles].map((role) => this.#ports.store.portfolio(from, role)));
    return lists.flat();
  }

  /** Outside of rehearsals time passes by itself. */
  #tick(): void {
    this.#runtime.timers.after(TICK_MS, () => {
      if (this.#closed) return;
      for (const campaign of this.#campaigns.values()) campaign.pump();
      this.#tick();
    });
  }
}
