import { setTimeout as pause } from 'node:timers/promises';
import { SefleetError } from '@sefleet/errors';
import { AT_ONCE } from '../switching/pacing.ts';
import type { FallenKill } from './killer.ts';
import { randomKills, type PlannedKill } from './planned-kills.ts';
import type { GroundKind } from './rehearsal-layout.ts';
import { legsOf } from './rehearsal-legs.ts';
import { parseFaults, type RehearsalPlan, type RehearsalVerb } from './rehearsal-plan.ts';
import { RehearsalServices } from './rehearsal-services.ts';
import { runRehearsal } from './run-rehearsal.ts';

/** What is rehearsed again and again, with another seed each time. */
export interface ChaosPlan {
  readonly ground: GroundKind;
  readonly meters: number;
  readonly verb: RehearsalVerb;
  /** Services that are killed in a run. */
  readonly kills: number;
}

/** How a run ended. */
export interface ChaosRun {
  readonly seed: number;
  readonly planned: readonly PlannedKill[];
  /** Where the kills fell; empty when the run did not come to its end. */
  readonly fallen: readonly FallenKill[];
  readonly switched: number;
  readonly rolledBack: number;
  readonly exceptions: Readonly<Record<string, number>>;
  /** Invariants that do not hold. */
  readonly failed: readonly { readonly name: string; readonly detail: string }[];
  /** Why the run did not come to its end; undefined when it did. */
  readonly error: string | undefined;
  readonly durationMs: number;
}

const FAULTS =
  'offline=10%,lost-ack=20%,power-cut=20%,duplicate=20%,drift=20%,swap=2%,tsm-preload=2%,se-full=2%';
/** A run takes seconds; one that takes so long hangs. */
const LIMIT_MS = { run: 300_000, meter: 6000 } as const;
const QUIET = { update: () => undefined, finish: () => undefined, say: () => undefined };

/** Rehearses a switch in `dataFolder`, with faults and with services killed where the seed has it. */
export async function rehearseWithKills(
  plan: ChaosPlan,
  seed: number,
  dataFolder: string,
  started: (services: RehearsalServices) => void,
): Promise<ChaosRun> {
  const startedMs = performance.now();
  const rehearsal = planOf(plan, seed);
  let planned: readonly PlannedKill[] = [];
  const ended = (outcome: Partial<ChaosRun>): ChaosRun => {
    const durationMs = Math.round(performance.now() - startedMs);
    const nothing = { fallen: [], switched: 0, rolledBack: 0, exceptions: {}, failed: [], error: undefined };
    return { seed, planned, ...nothing, ...outcome, durationMs };
  };
  let services: RehearsalServices | undefined;
  try {
    const suppliers = [...new Set(legsOf(rehearsal).flatMap(({ from, to }) => [from, to]))];
    services = await RehearsalServices.start({ dataFolder, ground: plan.ground, suppliers });
    started(services);
    planned = randomKills(seed, services.killable, plan.kills);
    const limit = new AbortController();
    const work = runRehearsal({ ...rehearsal, kills: planned }, services, QUIET);
    const { verdict, kills } = await Promise.race([work, hung(plan, limit.signal)]).finally(() =>
      limit.abort(),
    );
    const { switched, rolledBack, exceptions, invariants } = verdict;
    const failed = invariants.flatMap(({ name, detail, holds }) => (holds ? [] : [{ name, detail }]));
    return ended({ fallen: kills, switched, rolledBack, exceptions, failed });
  } catch (error) {
    return ended({ error: textOf(error) });
  } finally {
    await services?.stop();
  }
}

/** True when the run came to its end and every invariant holds. */
export function holds({ error, failed }: ChaosRun): boolean {
  return error === undefined && failed.length === 0;
}

function planOf({ meters, verb }: ChaosPlan, seed: number): RehearsalPlan {
  return {
    story: 'supplier-switch',
    meters,
    from: 'northern-power',
    to: 'sunrise-energy',
    third: 'harbour-light',
    noticeMs: 120_000,
    cutOverAt: undefined,
    market: 'DE',
    compress: 60,
    faults: parseFaults(FAULTS) ?? new Map(),
    seed,
    pacing: { ...AT_ONCE, concurrency: 16 },
    verb,
    intervalMinutes: 15,
    windowHours: 6,
    kills: [],
  };
}

async function hung({ meters }: ChaosPlan, signal: AbortSignal): Promise<never> {
  const limitMs = LIMIT_MS.run + meters * LIMIT_MS.meter;
  await pause(limitMs, undefined, { signal });
  throw new SefleetError('REHEARSAL_HUNG', 'internal', `not at its end after ${limitMs / 1000} s`);
}

function textOf(error: unknown): string {
  if (!(error instanceof SefleetError)) return error instanceof Error ? (error.stack ?? '') : String(error);
  const hint = error.hint === undefined ? '' : `. ${error.hint}`;
  return `${error.code}: ${error.message}${hint}`;
}
