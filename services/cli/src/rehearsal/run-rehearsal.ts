import { setTimeout as pause } from 'node:timers/promises';
import { switching } from '@sefleet/api';
import { createGrpcClient, readTlsFiles } from '@sefleet/service';
import type { Progress } from '../terminal/progress.ts';
import { judgeRehearsal, type GroundClient, type Office } from './judge-rehearsal.ts';
import { RehearsalClock } from './rehearsal-clock.ts';
import { FAULTS, type RehearsalPlan } from './rehearsal-plan.ts';
import type { RehearsalResult } from './rehearsal-result.ts';
import { rehearsalPki, type RehearsalLayout, type RehearsalServices } from './rehearsal-services.ts';

const POLL_MS = 100;
/** Every so many meters one has an old supplier that objects. */
const OBJECTION_EVERY = 10;
const LONG_CALL = { deadlineMs: 1_800_000 };
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const VERBS: Readonly<Record<RehearsalPlan['verb'], switching.SwitchVerb>> = {
  switch: switching.SwitchVerb.SWITCH,
  cancel: switching.SwitchVerb.SWITCH,
  object: switching.SwitchVerb.SWITCH,
  'erroneous-transfer': switching.SwitchVerb.ERRONEOUS_TRANSFER,
  'forced-switch': switching.SwitchVerb.FORCED_SWITCH,
  'move-in': switching.SwitchVerb.MOVE_IN,
};

/** Rehearses a switch: puts up the meters, moves them, collects what is left behind and has it judged. */
export async function runRehearsal(
  plan: RehearsalPlan,
  layout: RehearsalLayout,
  services: RehearsalServices,
  progress: Progress,
): Promise<RehearsalResult> {
  const tls = readTlsFiles(rehearsalPki(layout), 'cli');
  const office = createGrpcClient(switching.SwitchingService, `127.0.0.1:${layout.provisioningPort}`, tls);
  const ground = createGrpcClient(switching.RehearsalGroundService, `127.0.0.1:${layout.groundPort}`, tls);
  try {
    return await new Rehearsal(plan, layout, services, progress, office, ground).run();
  } finally {
    office.close();
    ground.close();
  }
}

class Rehearsal {
  readonly #plan: RehearsalPlan;
  readonly #layout: RehearsalLayout;
  readonly #services: RehearsalServices;
  readonly #progress: Progress;
  readonly #office: Office;
  readonly #ground: GroundClient;
  readonly #phasesMs: Record<string, number> = {};
  readonly #startAt: number;
  readonly #cutOverAt: number;

  constructor(
    plan: RehearsalPlan,
    layout: RehearsalLayout,
    services: RehearsalServices,
    progress: Progress,
    office: Office,
    ground: GroundClient,
  ) {
    this.#plan = plan;
    this.#layout = layout;
    this.#services = services;
    this.#progress = progress;
    this.#office = office;
    this.#ground = ground;
    const intervalMs = plan.intervalMinutes * MINUTE_MS;
    this.#startAt = Math.ceil(Date.now() / intervalMs) * intervalMs;
    this.#cutOverAt = this.#startAt + Math.max(HOUR_MS, Math.round(plan.noticeMs * plan.compress));
  }

  async run(): Promise<RehearsalResult> {
    const endpoints = await this.#timed('prepare', () => this.#prepare());
    const switchId = await this.#start(endpoints);
    const endedAt = await this.#timed('switch', () => this.#follow(switchId, endpoints));
    await this.#ground.advanceGround({ now: BigInt(this.#windowEnd(endedAt)) }, LONG_CALL);
    this.#progress.say('collecting evidence and readings');
    const ended = { switchId, cutOverAt: this.#cutOverAt, startedAt: this.#startAt, endedAt };
    const judged = await this.#timed('check', () =>
      judgeRehearsal(this.#plan, this.#layout, ended, this.#office, this.#ground),
    );
    return { ...judged, phasesMs: this.#phasesMs };
  }

  async #prepare(): Promise<readonly string[]> {
    const { meters, seed, intervalMinutes, windowHours, faults } = this.#plan;
    this.#progress.say(`making ${meters} meters with their cards`);
    const { endpoints } = await this.#ground.prepareGround(
      {
        meters,
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

  async #start(endpoints: readonly string[]): Promise<string> {
    const { verb, from, to, concurrency, canaryPercent, stopAbovePercent, faults, seed } = this.#plan;
    await this.#office.advanceClock({ now: BigInt(this.#startAt) });
    const { switchId } = await this.#office.startSwitch(
      {
        requestId: `rehearsal ${this.#startAt} ${seed}`,
        verb: VERBS[verb],
        fromSupplier: from,
        toSupplier: to,
        endpoints: [...endpoints],
        cutOverAt: BigInt(this.#cutOverAt),
        concurrency,
        canaryPercent,
        stopAbovePercent,
        faults: sharesOf(faults, FAULTS.inTheHouse),
        seed: BigInt(seed),
      },
      LONG_CALL,
    );
    return switchId;
  }

  /** Lets time pass until every meter is through; when that was, by the rehearsal's clock. */
  async #follow(switchId: string, endpoints: readonly string[]): Promise<number> {
    let calm = true;
    const clock = new RehearsalClock(this.#startAt, this.#cutOverAt, this.#plan.compress, performance.now());
    let killAt = this.#plan.killAfterMs === undefined ? Infinity : performance.now() + this.#plan.killAfterMs;
    for (;;) {
      if (performance.now() >= killAt) {
        killAt = Infinity;
        const { killService = 'provisioning' } = this.#plan;
        this.#progress.say(`killing ${killService}`);
        await this.#services.kill(killService);
        await this.#office.advanceClock({ now: BigInt(Math.round(clock.now)) }, LONG_CALL);
      }
      const state = await this.#office.getSwitch({ switchId }, LONG_CALL);
      this.#show(state, endpoints.length);
      if (state.done || state.stopped !== '') return Math.round(clock.now);
      const { nextReturnAt } = await this.#ground.advanceGround(
        { now: BigInt(Math.round(clock.now)) },
        LONG_CALL,
      );
      const idle = state.working === 0n;
      if (idle && calm) {
        calm = false;
        if (await this.#intervene(switchId, endpoints)) continue;
      }
      const due = Number(state.nextDueAt);
      const now = idle
        ? clock.skip(performance.now(), due, Number(nextReturnAt))
        : clock.work(performance.now());
      // The meters live through the time before anybody asks them about it.
      await this.#ground.advanceGround({ now: BigInt(Math.round(now)) }, LONG_CALL);
      await this.#office.advanceClock({ now: BigInt(Math.round(now)) }, LONG_CALL);
      await pause(idle ? 5 : POLL_MS);
    }
  }

  /** Everything is prepared and the instant lies ahead: what the verb brings now. */
  async #intervene(switchId: string, endpoints: readonly string[]): Promise<boolean> {
    const { verb } = this.#plan;
    if (verb !== 'cancel' && verb !== 'object') return false;
    const control = verb === 'cancel' ? switching.SwitchControl.CANCEL : switching.SwitchControl.OBJECT;
    const named = verb === 'cancel' ? [] : endpoints.filter((_, i) => i % OBJECTION_EVERY === 0);
    await this.#office.controlSwitch({ switchId, control, endpoints: named }, LONG_CALL);
    return true;
  }

  #windowEnd(endedAt: number): number {
    return Math.max(endedAt, this.#cutOverAt + this.#plan.windowHours * HOUR_MS);
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

function sharesOf(
  faults: ReadonlyMap<string, number>,
  names: readonly string[],
): { name: string; percent: number }[] {
  return names.flatMap((name) => {
    const percent = faults.get(name);
    return percent === undefined ? [] : [{ name, percent }];
  });
}
