import { formatTable } from '../terminal/table.ts';
import { holds, type ChaosPlan, type ChaosRun } from './chaos-run.ts';
import type { RehearsalPhase } from './planned-kills.ts';

/** What became of the runs in which a service was killed. */
export interface ServiceKills {
  readonly service: string;
  readonly kills: number;
  /** Kills by the part of the rehearsal in which they fell. */
  readonly phases: Readonly<Record<RehearsalPhase, number>>;
  /** Kills in runs that held. */
  readonly held: number;
}

/** What all runs came to. */
export interface ChaosSummary extends ChaosPlan {
  /** Of the first run; each one after it has the next. */
  readonly seed: number;
  readonly runs: number;
  readonly held: number;
  readonly durationMs: number;
  readonly services: readonly ServiceKills[];
  readonly results: readonly ChaosRun[];
}

/** Counts what the runs came to. */
export function summariseChaos(
  plan: ChaosPlan,
  seed: number,
  results: readonly ChaosRun[],
  durationMs: number,
): ChaosSummary {
  const held = results.filter(holds).length;
  const services = new Map<string, ServiceKills>();
  for (const run of results) {
    for (const { service, phase } of killsOf(run)) {
      const known = services.get(service) ?? {
        service,
        kills: 0,
        held: 0,
        phases: { prepare: 0, switch: 0, check: 0 },
      };
      services.set(service, {
        service,
        kills: known.kills + 1,
        held: known.held + (holds(run) ? 1 : 0),
        phases: { ...known.phases, [phase]: known.phases[phase] + 1 },
      });
    }
  }
  const inOrder = [...services.values()].toSorted((a, b) => (a.service < b.service ? -1 : 1));
  return { ...plan, seed, runs: results.length, held, durationMs, services: inOrder, results };
}

/** One line for a run that has ended. @param folder where a broken run is kept */
export function formatRun(run: ChaosRun, folder: string): string {
  const head = `seed ${run.seed}: ${holds(run) ? 'holds' : 'BROKEN'}`;
  const kills = run.fallen.map(({ service, phase, share, steps, downMs }) => {
    const meters = Object.entries(steps).map(([step, n]) => `${n} at ${step}`);
    const where = meters.length === 0 ? '' : ` (${meters.join(', ')})`;
    return `killed ${service} at ${Math.round(share * 100)} % of ${phase}${where}, down for ${downMs} ms`;
  });
  const meant = run.planned.map(({ service }) => `meant to kill ${service}`);
  const failures = Object.entries(run.exceptions).map(([reason, n]) => `${n} ${reason}`);
  const meters = `${run.switched} switched, ${run.rolledBack} rolled back, ${failures.join(', ') || 'no exceptions'}`;
  const seconds = `${(run.durationMs / 1000).toFixed(1)} s`;
  const line = [head, ...(run.error === undefined ? kills : meant), meters, seconds].join('; ');
  const why = run.failed.map(({ name, detail }) => `  ${name}: ${detail}`);
  if (run.error !== undefined) why.push(`  ${run.error}`);
  if (!holds(run)) why.push(`  databases and logs: ${folder}`);
  return [line, ...why].join('\n');
}

/** The table of all runs, by the service that was killed. */
export function formatChaos({ services, runs, held, durationMs, ground, meters }: ChaosSummary): string {
  const rows = services.map(({ service, kills, phases, held: heldOf }) => [
    service,
    kills,
    phases.prepare,
    phases.switch,
    phases.check,
    heldOf,
  ]);
  const table = formatTable(['killed', 'times', 'prepare', 'switch', 'check', 'held'], rows);
  const seconds = (durationMs / 1000).toFixed(0);
  return `${table}\n\n${held} of ${runs} runs of ${meters} meters on the ${ground} ground: all invariants hold (${seconds} s)`;
}

/** Where kills fell, or where they were meant to when the run did not come to its end. */
function killsOf({ fallen, planned, error }: ChaosRun) {
  return error === undefined ? fallen : planned.map(({ service, at }) => ({ service, phase: at.phase }));
}
