import { isDeepStrictEqual } from 'node:util';
import { isSefleetError } from '@sefleet/errors';
import type { Runtime } from '@sefleet/runtime';
import { DEFAULT_CONNECTIVITY } from '../device/connectivity.ts';
import { DeviceCard } from '../device/device-card.ts';
import type { DeviceLife, ReadingSupply } from '../device/reading-schedule.ts';
import type { VirtualDevice } from '../device/virtual-device.ts';
import { endpointName, type DeviceKind } from '../device-kind.ts';
import { simulationError } from '../errors.ts';
import type { CardSource } from '../fleet/card-source.ts';
import type { FleetHooks } from '../fleet/fleet-hooks.ts';
import type { Simulation } from '../fleet/simulation.ts';
import { CLEAR_NETWORK } from '../network/network-conditions.ts';
import type { FleetStore, StoredDevice } from '../store/fleet-store.ts';
import { ExchangeWay } from './exchange-way.ts';
import { meterFaults, type MeterFaults } from './meter-faults.ts';
import { RehearsalReadings } from './rehearsal-readings.ts';
import type { RehearsalPlan, RehearsalStore } from './rehearsal-store.ts';
import { VirtualTime } from './virtual-time.ts';

/** What the ground of a rehearsal stands on. */
export interface RehearsalGroundPorts {
  readonly simulation: () => Simulation;
  readonly store: FleetStore;
  readonly kept: RehearsalStore;
  readonly cards: CardSource;
  readonly runtime: Runtime;
}

/** How the meters stand after some time has passed. */
export interface GroundState {
  /** When the next meter gets its network back; 0 when none is without. */
  readonly nextReturnAt: number;
  /** Meters with a network that are not registered with all of their servers. */
  readonly unsettled: number;
}

interface Meter {
  readonly faults: MeterFaults;
  readonly readings: RehearsalReadings;
  device: VirtualDevice | undefined;
  way: ExchangeWay | undefined;
}

const MAX_METERS = 20_000;
const POLL_MS = 50;
const READY_LIMIT_MS = 900_000;
const DRAIN_LIMIT_MS = 120_000;
const REBOOT_MS = 200;

/** The meters of a rehearsal: a fleet like any other, in a time that the rehearsal keeps, with faults. */
export class RehearsalGround implements FleetHooks {
  readonly #ports: RehearsalGroundPorts;
  readonly #meters = new Map<string, Meter>();
  #plan: RehearsalPlan | undefined;
  #time = new VirtualTime(0);
  #preparing: Promise<unknown> = Promise.resolve();

  constructor(ports: RehearsalGroundPorts) {
    this.#ports = ports;
    const plan = ports.kept.plan();
    if (plan !== undefined) this.#begin(plan, ports.kept.nowMs() ?? plan.startMs);
  }

  /** What the fleet has to know of the rehearsal, if there is one. */
  get hooks(): FleetHooks | undefined {
    return this.#plan === undefined ? undefined : this;
  }

  /**
   * Puts the meters up; resolves with their names when all are registered with all of their servers. Whoever
   * asks again for the same, since the service or the factory was killed meanwhile, gets on with it.
   */
  prepare(plan: RehearsalPlan): Promise<readonly string[]> {
    const prepared = this.#preparing.then(() => this.#prepare(plan));
    this.#preparing = prepared.catch(() => undefined);
    return prepared;
  }

  async #prepare(plan: RehearsalPlan): Promise<readonly string[]> {
    if (plan.meters === 0 || plan.meters > MAX_METERS)
      throw simulationError('SIM_PLAN_INVALID', `a rehearsal has 1 to ${MAX_METERS} meters`);
    if (this.#plan === undefined) this.#begin(plan, plan.startMs);
    else if (!isDeepStrictEqual(this.#plan, plan))
      throw simulationError('SIM_FLEET_EXISTS', 'a rehearsal was prepared here before', {
        hint: 'Every rehearsal has a data folder of its own.',
      });
    const { kept, simulation } = this.#ports;
    if (kept.plan() === undefined) {
      await this.#orderOtherCards(plan.kind);
      kept.putPlan(plan);
    }
    if (!simulation().running) {
      await simulation().start({
        kinds: [{ kind: plan.kind, count: plan.meters, readingIntervalMs: plan.intervalMs }],
        seed: BigInt(plan.seed),
        startRate: 0,
        timeCompression: 1,
        virtualStartMs: plan.startMs,
        network: CLEAR_NETWORK,
        connectivity: DEFAULT_CONNECTIVITY,
      });
    }
    if (!(await this.#until(() => this.#unsettled() === 0, READY_LIMIT_MS)))
      throw simulationError('SIM_FLEET_PRECONDITION', `${this.#unsettled()} meters are not registered`);
    return [...this.#meters.keys()];
  }

  /** Lets time pass for the meters. */
  async advance(nowMs: number): Promise<GroundState> {
    this.#require();
    this.#ports.kept.putNow(nowMs);
    await this.#time.advance(nowMs);
    let nextReturnAt = 0;
    for (const { faults } of this.#meters.values()) {
      if (faults.away === undefined || !this.#isCutOff(faults)) continue;
      const { untilMs } = faults.away;
      nextReturnAt = nextReturnAt === 0 ? untilMs : Math.min(nextReturnAt, untilMs);
    }
    return { nextReturnAt, unsettled: this.#unsettled() };
  }

  /**
   * Waits until the servers have what the meters sealed, and tells what each of them has been through.
   *
   * @param images adds the images of so many cards
   */
  async *collect(images: number) {
    this.#require();
    const { simulation, kept } = this.#ports;
    await this.#until(() => {
      const { sealed = 0, acknowledged = 0 } = simulation().fleet?.records() ?? {};
      return sealed === acknowledged;
    }, DRAIN_LIMIT_MS);
    let pictured = 0;
    for (const [endpoint, { device, faults, readings }] of this.#meters) {
      if (device === undefined) continue;
      yield {
        endpoint,
        cardImage: pictured++ < images ? device.card.image() : new Uint8Array(),
        records: kept.records(device.id),
        exchanges: kept.exchanges(device.id),
        faults: faults.names,
        ...readings.truth,
      };
    }
  }

  lifeOf(endpoint: string): DeviceLife {
    return this.#time.lifeOf(this.#meter(endpoint).faults.driftMs);
  }

  readingsOf({ endpoint, readings }: StoredDevice): ReadingSupply {
    const own = this.#meter(endpoint).readings;
    if (readings !== '') own.restore(readings);
    return own;
  }

  async exchange(device: VirtualDevice, commands: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
    const meter = this.#meter(device.endpoint);
    meter.way ??= this.#wayOf(device, meter.faults);
    const answers = meter.way.exchange(commands);
    await this.#ports.kept.lasting();
    return answers;
  }

  isAway(endpoint: string): boolean {
    return this.#isCutOff(this.#meter(endpoint).faults);
  }

  created(device: VirtualDevice): void {
    this.#meter(device.endpoint).device = device;
    device.startReadings();
  }

  #begin(plan: RehearsalPlan, nowMs: number): void {
    this.#plan = plan;
    this.#time = new VirtualTime(nowMs);
    const { timers } = this.#time.lifeOf(0);
    for (let number = 1; number <= plan.meters; number++) {
      const endpoint = endpointName(plan.kind, number);
      const faults = meterFaults(plan.faults, plan.seed, endpoint, plan.cutOverAtMs);
      const { startMs, intervalMs } = plan;
      const { driftMs, away } = faults;
      const readings = new RehearsalReadings({
        seed: BigInt(plan.seed),
        kind: plan.kind,
        number,
        startMs,
        intervalMs,
        driftMs,
      });
      this.#meters.set(endpoint, { faults, readings, device: undefined, way: undefined });
      if (away === undefined) continue;
      timers.after(away.fromMs - nowMs, () => void this.#meters.get(endpoint)?.device?.client.powerOff());
      timers.after(away.untilMs - nowMs, () => this.#comeBack(endpoint));
    }
  }

  #wayOf(device: VirtualDevice, faults: MeterFaults): ExchangeWay {
    const { kept, runtime } = this.#ports;
    const other = faults.swapped ? this.#otherCard(device.endpoint) : undefined;
    const ports = {
      faults,
      card: () => other ?? device.card,
      keep: (digests: readonly Uint8Array[]) => kept.addExchanges(device.id, digests),
      reboot: () => {
        // A meter without power says nothing any more, not even that it goes.
        void device.client.powerOff();
        runtime.timers.after(REBOOT_MS, () => this.#comeBack(device.endpoint));
      },
    };
    return new ExchangeWay(ports, kept.exchanges(device.id).length);
  }

  #otherCard(endpoint: string): DeviceCard | undefined {
    const stored = this.#ports.store.device(otherName(endpoint));
    if (stored === undefined) return undefined;
    return new DeviceCard({
      image: stored.cardImage,
      endpoint: stored.endpoint,
      rng: this.#ports.runtime.rng,
      withoutReadings: [],
      changed: () => undefined,
    });
  }

  #comeBack(endpoint: string): void {
    const meter = this.#meters.get(endpoint);
    if (meter?.device === undefined || this.#isCutOff(meter.faults)) return;
    meter.device.client.start().catch((error: unknown) => {
      // Its own retries are used up, or it has lost its power again: whoever did that brings it back.
      if (!isSefleetError(error)) throw error;
    });
  }

  async #orderOtherCards(kind: DeviceKind): Promise<void> {
    const { cards, store } = this.#ports;
    const swapped = [...this.#meters].filter(([, { faults }]) => faults.swapped);
    if (swapped.length === 0) return;
    const orders = swapped.map(([endpoint]) => ({
      endpoint: otherName(endpoint),
      kind,
      connectivity: DEFAULT_CONNECTIVITY,
    })) satisfies Parameters<CardSource['order']>[0];
    for await (const made of cards.order(orders, new AbortController().signal)) {
      store.addDevices(
        made.map((card) => ({ ...card, number: MAX_METERS, connectivity: DEFAULT_CONNECTIVITY })),
      );
    }
  }

  #unsettled(): number {
    let unsettled = 0;
    for (const { device, faults } of this.#meters.values()) {
      if (this.#isCutOff(faults)) continue;
      if (device?.client.isWithAllServers !== true) unsettled++;
    }
    return unsettled;
  }

  #isCutOff({ away }: MeterFaults): boolean {
    const { nowMs } = this.#time;
    return away !== undefined && nowMs >= away.fromMs && nowMs < away.untilMs;
  }

  async #until(holds: () => boolean, limitMs: number): Promise<boolean> {
    const { clock, timers } = this.#ports.runtime;
    const endMs = clock.monotonicMs() + limitMs;
    while (!holds()) {
      if (clock.monotonicMs() >= endMs) return false;
      await new Promise<void>((resolve) => void timers.after(POLL_MS, resolve));
    }
    return true;
  }

  #meter(endpoint: string): Meter {
    const meter = this.#meters.get(endpoint);
    if (meter !== undefined) return meter;
    throw simulationError('SIM_CARD_NOT_FOUND', `${endpoint} is no meter of the rehearsal`);
  }

  #require(): void {
    if (this.#plan !== undefined) return;
    throw simulationError('SIM_FLEET_PRECONDITION', 'no rehearsal was prepared');
  }
}

function otherName(endpoint: string): string {
  return `${endpoint}.other`;
}
