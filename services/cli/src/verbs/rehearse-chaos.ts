import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { usageError, type Verb, type VerbArguments } from '../command-line.ts';
import { EXIT_CODES, type ExitCode } from '../exit-codes.ts';
import { interruptedError, onInterruption } from '../interruption.ts';
import { holds, rehearseWithKills, type ChaosPlan, type ChaosRun } from '../rehearsal/chaos-run.ts';
import { formatChaos, formatRun, summariseChaos } from '../rehearsal/chaos-summary.ts';
import { REHEARSAL_VERBS } from '../rehearsal/rehearsal-plan.ts';
import type { RehearsalServices } from '../rehearsal/rehearsal-services.ts';

const NAME = 'rehearse chaos';
const GROUNDS = ['live', 'light'] as const;

export const rehearseChaos: Verb = {
  name: NAME,
  summary: 'rehearse small switches with faults, a service killed at a random point of each',
  options: {
    runs: { type: 'string', value: 'n', default: '10', doc: 'how many, each with a seed of its own' },
    meters: { type: 'string', value: 'n', default: '50', doc: 'meters of each' },
    seed: { type: 'string', value: 'n', default: '1', doc: 'of the first run; the next has the next' },
    ground: {
      type: 'string',
      value: 'kind',
      default: 'live',
      doc: 'live (the real services, any of which is killed) or light (provisioning and virtual meters)',
    },
    verb: { type: 'string', value: 'verb', default: 'switch', doc: REHEARSAL_VERBS.join(', ') },
    kills: { type: 'string', value: 'n', default: '1', doc: 'services killed in each run' },
    parallel: { type: 'string', value: 'n', default: '1', doc: 'runs at once, each with its own services' },
    json: { type: 'boolean', doc: 'prints one JSON object when all have ended' },
  },
  examples: [
    'sefleet rehearse chaos --runs 100 --parallel 2',
    'sefleet rehearse chaos --runs 100 --ground light --kills 2 --json',
    'sefleet rehearse chaos --runs 1 --seed 4711      # that run again',
  ],
  run: rehearse,
};

async function rehearse(parsed: VerbArguments): Promise<ExitCode> {
  const { plan, seed, runs, parallel } = readOptions(parsed);
  const report = (line: string): void => {
    if (parsed.flag('json')) console.error(line);
    else console.log(line);
  };
  const startedMs = performance.now();
  const parent = resolve('.sefleet');
  mkdirSync(parent, { recursive: true });
  const results: ChaosRun[] = [];
  const running = new Set<RehearsalServices>();
  let interruption: ExitCode | undefined;
  const folders = new Set<string>();
  onInterruption((code) => {
    interruption = code;
    // Calls to services that are not there any more would be made again and again.
    void Promise.all([...running].map((services) => services.stop())).then(() => {
      for (const folder of folders) rmSync(folder, { recursive: true, force: true });
      process.exit(code);
    });
  });
  const rehearseOnce = async (own: number): Promise<void> => {
    const dataFolder = mkdtempSync(join(parent, `chaos-${own}-`));
    folders.add(dataFolder);
    let mine: RehearsalServices | undefined;
    const run = await rehearseWithKills(plan, own, dataFolder, (services) => {
      mine = services;
      running.add(services);
      if (interruption !== undefined) void services.stop();
    });
    if (mine !== undefined) running.delete(mine);
    folders.delete(dataFolder);
    const isKept = !holds(run) && interruption === undefined;
    if (!isKept) rmSync(dataFolder, { recursive: true, force: true });
    if (interruption !== undefined) return;
    results.push(run);
    report(`${String(results.length).padStart(String(runs).length)}/${runs} ${formatRun(run, dataFolder)}`);
  };
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < runs && interruption === undefined) await rehearseOnce(seed + next++);
  };
  await Promise.all(Array.from({ length: Math.min(parallel, runs) }, worker));
  if (interruption !== undefined) throw interruptedError(interruption);
  const inOrder = results.toSorted((a, b) => a.seed - b.seed);
  const summary = summariseChaos(plan, seed, inOrder, Math.round(performance.now() - startedMs));
  console.log(parsed.flag('json') ? JSON.stringify(summary) : formatChaos(summary));
  return summary.held === runs ? EXIT_CODES.passed : EXIT_CODES.dataIntegrity;
}

function readOptions(parsed: VerbArguments) {
  const help = `Run \`sefleet ${NAME} --help\` for the options.`;
  const ground = GROUNDS.find((kind) => kind === parsed.text('ground'));
  if (ground === undefined)
    throw usageError(`--ground ${parsed.text('ground')} is none of ${GROUNDS.join(', ')}`, help);
  const verb = REHEARSAL_VERBS.find((name) => name === parsed.text('verb'));
  if (verb === undefined)
    throw usageError(`--verb ${parsed.text('verb')} is none of ${REHEARSAL_VERBS.join(', ')}`, help);
  const plan: ChaosPlan = {
    ground,
    verb,
    meters: parsed.integer('meters', 2, 2000),
    kills: parsed.integer('kills', 0, 10),
  };
  return {
    plan,
    seed: parsed.integer('seed', 0, 0x7fff_ffff),
    runs: parsed.integer('runs', 1, 100_000),
    parallel: parsed.integer('parallel', 1, 16),
  };
}
