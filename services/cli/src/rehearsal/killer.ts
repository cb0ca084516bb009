import { setTimeout as pause } from 'node:timers/promises';
import type { KillPoint, PlannedKill, RehearsalPhase } from './planned-kills.ts';
import type { RehearsalServices } from './rehearsal-services.ts';

/** How far a part of a rehearsal has come. */
export interface PhaseProgress {
  /** 0 to 1. */
  readonly share: number;
  /** Meters by the step of their switch that is next or under way; empty outside of a switch. */
  readonly steps: ReadonlyMap<string, number>;
}

/** Where a kill fell. */
export interface FallenKill {
  readonly service: string;
  readonly phase: RehearsalPhase;
  readonly share: number;
  readonly steps: Readonly<Record<string, number>>;
  /** Until the service was there again. */
  readonly downMs: number;
}

/** How often it looks whether it is time. */
const LOOK_MS = 15;
/** Devices need so long to notice that a server has forgotten them. */
const RECOVERY_MS = 12_000;

/** Kills services where it was planned, beside everything else that goes on. */
export class Killer {
  readonly fallen: FallenKill[] = [];
  readonly #kills: readonly PlannedKill[];
  readonly #services: Pick<RehearsalServices, 'kill'>;
  readonly #say: (line: string) => void;
  #restlessUntilMs = 0;

  constructor(
    kills: readonly PlannedKill[],
    services: Pick<RehearsalServices, 'kill'>,
    say: (line: string) => void,
  ) {
    this.#kills = kills;
    this.#services = services;
    this.#say = say;
  }

  /** True while devices may not know yet that their server was away. */
  get isRestless(): boolean {
    return performance.now() < this.#restlessUntilMs;
  }

  /**
   * Does the work of a part and kills what is to be killed in it. A kill that comes too late for the work
   * falls at its end; services are there again when this resolves.
   */
  async during<T>(
    phase: RehearsalPhase,
    progress: () => Promise<PhaseProgress>,
    work: () => Promise<T>,
  ): Promise<T> {
    let over = false;
    const killing = this.#killAll(phase, progress, () => over);
    try {
      return await Promise.race([work(), failureOf(killing)]);
    } finally {
      over = true;
      await killing;
    }
  }

  async #killAll(
    phase: RehearsalPhase,
    progress: () => Promise<PhaseProgress>,
    isOver: () => boolean,
  ): Promise<void> {
    const startedMs = performance.now();
    const planned = this.#kills.filter(({ at }) => at.phase === phase).toSorted(byPoint);
    for (const { service, at } of planned) {
      let now = await progress();
      while (!isOver() && !hasCome(at, now, performance.now() - startedMs)) {
        await pause(LOOK_MS);
        now = await progress();
      }
      await this.#kill(service, phase, now);
    }
  }

  async #kill(service: PlannedKill['service'], phase: RehearsalPhase, now: PhaseProgress): Promise<void> {
    this.#say(`killing ${service}`);
    const startedMs = performance.now();
    await this.#services.kill(service);
    const endedMs = performance.now();
    if (service === 'lwm2m-server' || service.startsWith('supplier:'))
      this.#restlessUntilMs = endedMs + RECOVERY_MS;
    this.fallen.push({
      service,
      phase,
      share: Math.round(now.share * 1000) / 1000,
      steps: Object.fromEntries(now.steps),
      downMs: Math.round(endedMs - startedMs),
    });
  }
}

/** Never resolves: rejects when `task` does. */
function failureOf(task: Promise<unknown>): Promise<never> {
  return task.then(() => new Promise<never>(() => undefined));
}

function hasCome(at: KillPoint, now: PhaseProgress, passedMs: number): boolean {
  return 'share' in at ? now.share >= at.share : passedMs >= at.afterMs;
}

function byPoint({ at: a }: PlannedKill, { at: b }: PlannedKill): number {
  return 'share' in a && 'share' in b ? a.share - b.share : 0;
}
