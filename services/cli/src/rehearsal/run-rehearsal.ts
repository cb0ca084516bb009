import { setTimeout as pause } from 'node:timers/promises';
import { common, switching } from '@sefleet/api';
import { createGrpcClient, readTlsFiles } from '@sefleet/service';
import { usageError } from '../command-line.ts';
import { pacingRequest } from '../switching/pacing.ts';
import type { Progress } from '../terminal/progress.ts';
import type { Office } from '../switching/collect-bundle.ts';
import { judgeRehearsal, type EndedSwitch, type GroundClient } from './judge-rehearsal.ts';
import { steering } from './steer-switch.ts';
import { Killer, type PhaseProgress } from './killer.ts';
import { patientClient } from './patient-client.ts';
import { RehearsalClock } from './rehearsal-clock.ts';
import { LoadSampler } from './load-sampler.ts';
import { NetworkSampler, statisticsOf } from './network-sampler.ts';
import { noticeOf, preparationOf } from './rehearsal-notice.ts';
import { PauseWatch } from './pause-watch.ts';
import { legsOf, type Leg } from './rehearsal-legs.ts';
import { FAULTS, MARKET_ZONES, type RehearsalPlan } from './rehearsal-plan.ts';
import type { RehearsalResult } from './rehearsal-result.ts';
import { rehearsalPki } from './rehearsal-layout.ts';
import type { RehearsalServices } from './rehearsal-services.ts';

const POLL_MS = 100;
/** Every so many meters one has an old supplier that objects. */
const OBJECTION_EVERY = 10;
const LONG_CALL = { deadlineMs: 1_800_000 };
/** What parts of a rehearsal take that do not tell how far they have come, by the meter. */
const EXPECTED_MS = { prepare: { light: 10, live: 60 }, check: { light: 10, live: 15 } } as const;
const HOUR_MS = 3_600_000;
/** So long before the instant whatever is done has to be done. */
const CLOSE_MS = 20 * 60_000;
const MINUTE_MS = 60_000;
const KINDS: Readonly<Record<RehearsalPlan['story'], common.DeviceKind>> = {
  'supplier-switch': common.DeviceKind.SMART_METER,
  'insurer-change': common.DeviceKind.OBU,
  'provider-change': common.DeviceKind.RPM_GATEWAY,
};
/** Between two switches of the same meters: the second falls into the same day. */
const NEXT_LEG_MS = 6 * HOUR_MS;

/** Rehearses a switch: puts up the meters, moves them, collects what is left behind and has it judged. */
export async function runRehearsal(
  plan: RehearsalPlan,
  services: RehearsalServices,
  progress: Progress,
): Promise<RehearsalResult> {
  const { layout } = services;
  const tls = readTlsFiles(rehearsalPki(layout), 'cli');
  const { SwitchingService, RehearsalGroundService } = switching;
  const office = createGrpcClient(SwitchingService, `127.0.0.1:${layout.provisioningPort}`, tls);
  const ground = createGrpcClient(RehearsalGroundService, `127.0.0.1:${layout.groundPort}`, tls);
  const statistics = statisticsOf(layout);
  const sampler = new NetworkSampler(statistics.reads);
  const clients = [patientClient(office), patientClient(ground)] as const;
  try {
    const rehearsal = new Rehearsal(plan, services, progress, ...clients, sampler);
    return await Promise.race([rehearsal.run(), services.lost]);
  } finally {
    await sampler.stop();
    statistics.close();
    office.close();
    ground.close();
  }
}

class Rehearsal {
  readonly #plan: RehearsalPlan;
  readonly #services: RehearsalServices;
  readonly #progress: Progress;
  readonly #office: Office;
  readonly #ground: GroundClient;
  readonly #phasesMs: Record<string, number> = {};
  readonly #load = new LoadSampler();
  readonly #network: NetworkSampler;
  readonly #killer: Killer;
  readonly #startAt: number;
  readonly #cutOverAt: number;
  /** The switch that goes on, and how many were before it. */
  #now: { readonly switchId: string; readonly before: number } | undefined;

  constructor(
    plan: RehearsalPlan,
    services: RehearsalServices,
    progress: Progress,
    office: Office,
    ground: GroundClient,
    network: NetworkSampler,
  ) {
    this.#plan = plan;
    this.#services = services;
    this.#progress = progress;
    this.#office = office;
    this.#ground = ground;
    this.#network = network;
    this.#killer = new Killer(plan.kills, services, (line) => progress.say(line));
    const intervalMs = plan.intervalMinutes * MINUTE_MS;
    const noticeMs = noticeOf(plan);
    const cutOverAt = plan.cutOverAt ?? roundUp(Date.now(), intervalMs) + noticeMs;
    this.#startAt = roundUp(cutOverAt - noticeMs - intervalMs + 1, intervalMs);
    this.#cutOverAt = cutOverAt;
  }

  async run(): Promise<RehearsalResult> {
    await this.#checkParties();
    this.#network.start();
    const endpoints = await this.#during('prepare', () => this.#timed('prepare', () => this.#prepare()));
    const switches = await this.#killer.during(
      'switch',
      () => this.#switchProgress(),
      () => this.#switchAll(endpoints),
    );
    await this.#ground.advanceGround({ now: BigInt(this.#windowEnd(switches)) }, LONG_CALL);
    this.#progress.say('collecting evidence and readings');
    const network = await this.#network.stop();
    const judged = await this.#during('check', () => this.#timed('check', () => this.#judge(switches)));
    const startedAt = this.#startAt;
    const { layout } = this.#services;
    const { ground } = layout;
    const load = this.#load.profile(layout.dataFolder, network);
    const timeZone = MARKET_ZONES.get(this.#plan.market) ?? 'UTC';
    const { fallen: kills } = this.#killer;
    const cutOverAt = this.#cutOverAt;
    const phasesMs = this.#phasesMs;
    return { ...judged, kills, load, ground, timeZone, startedAt, cutOverAt, phasesMs };
  }

  /** The switches that the verb consists of, one after the other. */
  async #switchAll(endpoints: readonly string[]): Promise<readonly EndedSwitch[]> {
    const switches: EndedSwitch[] = [];
    let cohort = endpoints;
    for (const leg of legsOf(this.#plan)) {
      const before = switches.at(-1);
      const startAt = before?.endedAt ?? this.#startAt;
      const cutOverAt = before === undefined ? this.#cutOverAt : this.#nextInstant(before);
      const switchId = await this.#start(leg, cohort, startAt, cutOverAt, switches.length);
      this.#now = { switchId, before: switches.length };
      const phase = before === undefined ? 'switch' : `switch ${switches.length + 1}`;
      const endedAt = await this.#timed(phase, () => this.#follow(switchId, leg, cohort, startAt, cutOverAt));
      switches.push({ switchId, cutOverAt, endedAt });
      cohort = await this.#confirmed(switchId);
      if (cohort.length === 0) break;
    }
    return switches;
  }

  #judge(switches: readonly EndedSwitch[]) {
    const { layout } = this.#services;
    const processes = () => this.#services.processes;
    return judgeRehearsal(this.#plan, layout, switches, this.#office, this.#ground, processes);
  }

  /** A part that does not tell how far it has come: kills fall by the time that it should take. */
  #during<T>(phase: 'prepare' | 'check', work: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    const expectedMs = EXPECTED_MS[phase][this.#services.layout.ground] * this.#plan.meters;
    const progress = async (): Promise<PhaseProgress> => {
      return { share: Math.min(1, (performance.now() - startedMs) / expectedMs), steps: new Map() };
    };
    return this.#killer.during(phase, progress, work);
  }

  async #switchProgress(): Promise<PhaseProgress> {
    if (this.#now === undefined) return { share: 0, steps: new Map() };
    const { switchId, before } = this.#now;
    const { steps, stepsDone, stepsTotal } = await this.#office.getSwitch({ switchId }, LONG_CALL);
    const done = stepsTotal === 0n ? 0 : Number(stepsDone) / Number(stepsTotal);
    return {
      share: (before + done) / legsOf(this.#plan).length,
      steps: new Map(steps.map(({ name, value }) => [name, Number(value)])),
    };
  }

  /** Of a second switch: later on the same day, when there is time to prepare it. */
  #nextInstant({ cutOverAt, endedAt }: EndedSwitch): number {
    const prepared = endedAt + HOUR_MS + preparationOf(this.#plan);
    return Math.max(cutOverAt + NEXT_LEG_MS, roundUp(prepared, this.#plan.intervalMinutes * MINUTE_MS));
  }

  /** The meters that came through a switch: only they can go on. */
  async #confirmed(switchId: string): Promise<readonly string[]> {
    const endpoints: string[] = [];
    for await (const { meters } of this.#office.listMeterSwitches({ switchId })) {
      for (const { endpoint, state } of meters) if (state === 'confirmed') endpoints.push(endpoint);
    }
    return endpoints;
  }

  /** Before thousands of cards are made for a name with a slip in it. */
  async #checkParties(): Promise<void> {
    const { parties } = await this.#office.listParties({}, LONG_CALL);
    const providers = parties.filter(({ roles }) => roles.includes('service-provider'));
    const known = providers.map(({ name }) => name);
    for (const wanted of legsOf(this.#plan).flatMap(({ from, to }) => [from, to])) {
      if (known.includes(wanted)) continue;
      throw usageError(
        `no service provider is called ${JSON.stringify(wanted)}`,
        `Known: ${known.join(', ')}.`,
      );
    }
  }

  async #prepare(): Promise<readonly string[]> {
    const { story, meters, seed, intervalMinutes, windowHours, faults } = this.#plan;
    this.#progress.say(`making ${meters} devices with their cards`);
    const { endpoints } = await this.#ground.prepareGround(
      {
        meters,
        kind: KINDS[story],
        seed: BigInt(seed),
        now: BigInt(Math.min(this.#startAt, this.#cutOverAt - windowHours * HOUR_MS)),
        intervalMinutes,
        cutOverAt: BigInt(this.#cutOverAt),
        faults: sharesOf(faults, FAULTS.onTheWay),
      },
      LONG_CALL,
    );
    await this.#ground.advanceGround({ now: BigInt(this.#startAt) }, LONG_CALL);
    return endpoints;
  }

  async #start(
    { verb, from, to, wholePortfolio }: Leg,
    endpoints: readonly string[],
    startAt: number,
    cutOverAt: number,
    number: number,
  ): Promise<string> {
    const { pacing, faults, seed, market } = this.#plan;
    await this.#office.advanceClock({ now: BigInt(startAt) });
    const { switchId } = await this.#office.startSwitch(
      {
        requestId: `rehearsal ${this.#startAt} ${seed} ${number}`,
        verb,
        fromSupplier: from,
        toSupplier: to,
        endpoints: wholePortfolio ? [] : [...endpoints],
        cutOverAt: BigInt(cutOverAt),
        ...pacingRequest(pacing),
        faults: sharesOf(faults, FAULTS.inTheHouse),
        seed: BigInt(seed),
        market,
      },
      LONG_CALL,
    );
    return switchId;
  }

  /** Lets time pass until every meter is through; when that was, by the rehearsal's clock. */
  async #follow(
    switchId: string,
    leg: Leg,
    endpoints: readonly string[],
    startAt: number,
    cutOverAt: number,
  ): Promise<number> {
    let calm = true;
    let stopped = false;
    const clock = new RehearsalClock(startAt, cutOverAt, this.#plan.compress, performance.now());
    const steer = steering(this.#office, switchId);
    const pauses = new PauseWatch(this.#plan.pause, steer);
    for (;;) {
      const state = await this.#office.getSwitch({ switchId }, LONG_CALL);
      this.#show(state, endpoints.length);
      this.#load.sample(performance.now(), loadOf(state), this.#services.processes);
      if (state.done) return Math.round(clock.now);
      const paused = await pauses.look(state, clock.now);
      if (paused !== undefined) this.#progress.say(paused);
      if (state.stopped !== '' && !stopped) {
        stopped = true;
        this.#progress.say(`${state.stopped}: taking the others back`);
        await steer(switching.SwitchControl.CANCEL);
      }
      const { nextReturnAt, unsettled } = await this.#ground.advanceGround(
        { now: BigInt(Math.round(clock.now)) },
        LONG_CALL,
      );
      // While a meter comes back to its servers, time must not run away from it.
      const idle = state.working === 0n && unsettled === 0 && !this.#killer.isRestless;
      if (idle && calm && isReady(state, cutOverAt)) {
        calm = false;
        if (await this.#intervene(switchId, leg, endpoints)) continue;
      }
      const due = Number(state.nextDueAt);
      const now = idle
        ? clock.skip(performance.now(), due, Number(nextReturnAt), pauses.resumeAt)
        : clock.work(performance.now());
      // The meters live through the time before anybody asks them about it.
      await this.#ground.advanceGround({ now: BigInt(Math.round(now)) }, LONG_CALL);
      await this.#office.advanceClock({ now: BigInt(Math.round(now)) }, LONG_CALL);
      await pause(idle ? 5 : POLL_MS);
    }
  }

  /** Everything is prepared and the instant lies ahead: what the verb brings now. */
  async #intervene(switchId: string, leg: Leg, endpoints: readonly string[]): Promise<boolean> {
    const { intervention } = leg;
    if (intervention === undefined) return false;
    const control =
      intervention === 'cancel' ? switching.SwitchControl.CANCEL : switching.SwitchControl.OBJECT;
    const named = intervention === 'cancel' ? [] : endpoints.filter((_, i) => i % OBJECTION_EVERY === 0);
    await steering(this.#office, switchId)(control, named);
    return true;
  }

  #windowEnd(switches: readonly EndedSwitch[]): number {
    const { cutOverAt, endedAt } = switches.at(-1) ?? { cutOverAt: this.#cutOverAt, endedAt: 0 };
    const intervalMs = this.#plan.intervalMinutes * MINUTE_MS;
    return roundUp(Math.max(endedAt, cutOverAt + this.#plan.windowHours * HOUR_MS), intervalMs);
  }

  #show(state: switching.GetSwitchResponse, total: number): void {
    const count = (name: string): number =>
      Number(state.states.find((counter) => counter.name === name)?.value ?? 0);
    const through = count('confirmed') + count('exception') + count('rolled-back');
    const staged = count('credential-staged');
    const note = `${staged} staged, ${count('confirmed')} confirmed, ${count('exception')} exceptions`;
    this.#progress.update('switch', through, total, note);
  }

  async #timed<T>(phase: string, run: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    const result = await run();
    this.#phasesMs[phase] = Math.round(performance.now() - startedMs);
    this.#progress.finish(phase, `${this.#phasesMs[phase]} ms`);
    return result;
  }
}

/** Every meter was begun, and nothing is due before the instant: what is still tried comes close to it. */
function isReady({ begun, total, nextDueAt }: switching.GetSwitchResponse, cutOverAt: number): boolean {
  return begun === total && (nextDueAt === 0n || Number(nextDueAt) >= cutOverAt - CLOSE_MS);
}

function loadOf(state: switching.GetSwitchResponse) {
  const through = ['confirmed', 'exception', 'rolled-back'].reduce(
    (sum, name) => sum + Number(state.states.find((counter) => counter.name === name)?.value ?? 0),
    0,
  );
  return {
    backlog: Number(state.total) - through,
    working: Number(state.working),
    commandsSent: Number(state.commandsSent),
  };
}

function roundUp(at: number, step: number): number {
  return Math.ceil(at / step) * step;
}

function sharesOf(
  faults: ReadonlyMap<string, number>,
  names: readonly string[],
): { name: string; percent: number }[] {
  return names.flatMap((name) => {
    const percent = faults.get(name);
    return percent === undefined ? [] : [{ name, percent }];
  });
}
