import { join } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };
import { usageError, type Verb, type VerbArguments } from '../command-line.ts';
import { EXIT_CODES, type ExitCode } from '../exit-codes.ts';
import { interruptedError, onInterruption } from '../interruption.ts';
import {
  FAULTS,
  LIGHT_FAULTS,
  MARKET_ZONES,
  parseFaults,
  parsePauseAt,
  type RehearsalPlan,
  type RehearsalStory,
  type RehearsalVerb,
  type RehearsedPause,
} from '../rehearsal/rehearsal-plan.ts';
import { RehearsalFolders } from '../rehearsal/rehearsal-folders.ts';
import { checkNotice } from '../rehearsal/rehearsal-notice.ts';
import { legsOf } from '../rehearsal/rehearsal-legs.ts';
import { processesOn, type GroundKind, type RehearsalProcess } from '../rehearsal/rehearsal-layout.ts';
import type { PlannedKill } from '../rehearsal/planned-kills.ts';
import { RehearsalServices } from '../rehearsal/rehearsal-services.ts';
import { runRehearsal } from '../rehearsal/run-rehearsal.ts';
import { passed, summariseRehearsal, type RehearsalSummary } from '../report/rehearsal-summary.ts';
import { courseLines } from '../report/switch-course.ts';
import { writeReport } from '../report/write-report.ts';
import { parseDuration } from '../switching/duration.ts';
import { pacingOptions, readPacing } from '../switching/pacing.ts';
import { createProgress } from '../terminal/progress.ts';

const MAX_METERS = 20_000;
const INTERVAL_MS = 15 * 60_000;
const MAX_PAUSE_MS = 86_400_000;

/** What a rehearsal is called on the command line, and who takes part unless somebody says otherwise. */
interface StoryVerb {
  readonly name: string;
  readonly summary: string;
  readonly story: RehearsalStory;
  readonly devices: string;
  readonly from: string;
  readonly to: string;
  readonly third: string;
  readonly verbs: readonly RehearsalVerb[];
  /** On what it can be rehearsed, the usual one first. */
  readonly grounds: readonly GroundKind[];
  readonly examples: readonly string[];
}

/** A verb that rehearses one of the stories; all of them take the same options. */
export function rehearsalVerb(told: StoryVerb): Verb {
  const { name, summary, examples } = told;
  return { name, summary, examples, options: optionsOf(told), run: (parsed) => rehearse(told, parsed) };
}

function optionsOf({ devices, from, to, third, verbs, grounds }: StoryVerb): Verb['options'] {
  const several = verbs.includes('add');
  const fromDoc = several ? 'who is there: with remove and switch, who is left' : 'who is left';
  const toDoc = several ? 'who comes: with remove, before the other is left' : 'who comes';
  return {
    [devices]: { type: 'string', value: 'n', default: '200', doc: `${devices} of the cohort` },
    from: { type: 'string', value: 'party', default: from, doc: fromDoc },
    to: { type: 'string', value: 'party', default: to, doc: toDoc },
    third: { type: 'string', value: 'party', default: third, doc: 'with back-to-back: who comes after that' },
    verb: { type: 'string', value: 'verb', default: 'switch', doc: verbs.join(', ') },
    at: { type: 'string', value: 'time', default: '+2m', doc: 'real time until the instant, at the most' },
    'cut-over': {
      type: 'string',
      value: 'instant',
      doc: 'the instant itself, such as 2027-03-28T03:00+02:00; the notice counts back from it',
    },
    market: { type: 'string', value: 'code', default: 'DE', doc: 'whose working days count: DE, DK, GB' },
    window: { type: 'string', value: 'hours', default: '6', doc: 'readings before and after the instant' },
    compress: { type: 'string', value: 'n', default: '60', doc: 'virtual seconds a real second' },
    faults: {
      type: 'string',
      value: 'list',
      default: '',
      doc: `shares of the ${devices}, such as offline=2%: ${[...FAULTS.onTheWay, ...FAULTS.inTheHouse].join(', ')}`,
    },
    seed: { type: 'string', value: 'n', default: '1', doc: 'the same seed plays the same faults' },
    ...pacingOptions(devices),
    'pause-at': {
      type: 'string',
      value: 'share',
      doc: `pauses once when so many ${devices} are prepared, such as 50%; or confirmed=50%`,
    },
    'pause-for': {
      type: 'string',
      value: 'time',
      default: '2m',
      doc: 'with --pause-at: until it is resumed, in the time of the rehearsal',
    },
    ground: {
      type: 'string',
      value: 'kind',
      default: grounds[0] ?? 'light',
      doc: `${grounds.join(', ')} (live: the real services, LwM2M over DTLS; light: no network)`,
    },
    'kill-after': { type: 'string', value: 'ms', doc: 'kills a service once, so long after the start' },
    kill: {
      type: 'string',
      value: 'service',
      default: 'provisioning',
      doc: 'which one; light: also rehearsal-ground; live: also lwm2m-server, device-sim, supplier:<party>',
    },
    out: { type: 'string', value: 'folder', default: 'report', doc: 'where the report goes' },
    data: {
      type: 'string',
      value: 'folder',
      doc: 'keeps databases and logs there, in a new or empty folder',
    },
    json: { type: 'boolean', doc: 'prints the summary as JSON' },
  };
}

async function rehearse(told: StoryVerb, parsed: VerbArguments): Promise<ExitCode> {
  const plan = readPlan(told, parsed);
  const ground = told.grounds.find((kind) => kind === parsed.text('ground'));
  if (ground === undefined)
    throw usageError(`--ground ${parsed.text('ground')} is none of ${told.grounds.join(', ')}`, helpOf(told));
  const lightOnly = LIGHT_FAULTS.filter((fault) => ground === 'live' && plan.faults.has(fault));
  if (lightOnly.length > 0)
    throw usageError(
      `${lightOnly.join(', ')}: played on the light ground only: add --ground light`,
      helpOf(told),
    );
  const suppliers = [...new Set(legsOf(plan).flatMap(({ from, to }) => [from, to]))];
  const kills = readKills(told, parsed, processesOn(ground, suppliers));
  const startedMs = performance.now();
  let starting: Promise<RehearsalServices> | undefined;
  let folders: RehearsalFolders | undefined;
  const tidyUp = async (): Promise<void> => {
    const started = await starting?.catch(() => undefined);
    await started?.stop();
    folders?.release();
    folders = undefined;
  };
  let interruption: ExitCode | undefined;
  // Before anything is made: what an interruption finds is tidied up.
  onInterruption((code) => {
    interruption = code;
    void tidyUp().then(() => process.exit(code));
  });
  try {
    const { out, data } = (folders = new RehearsalFolders(
      parsed.text('out') ?? 'report',
      parsed.text('data'),
    ));
    starting = RehearsalServices.start({ dataFolder: data, ground, suppliers });
    const services = await starting;
    if (interruption !== undefined) throw interruptedError(interruption);
    const result = await runRehearsal({ ...plan, kills }, services, createProgress());
    const summary = summariseRehearsal(plan, result, performance.now() - startedMs, manifest.version);
    writeReport(out, summary, result);
    if (parsed.flag('json')) console.log(JSON.stringify(summary));
    else console.log(formatSummary(summary, out));
    return exitCode(summary);
  } catch (error) {
    // What fails because its services were stopped has the interruption as its cause.
    throw interruption === undefined ? error : interruptedError(interruption);
  } finally {
    await tidyUp();
  }
}

function readKills(
  told: StoryVerb,
  parsed: VerbArguments,
  processes: readonly RehearsalProcess[],
): readonly PlannedKill[] {
  const service = processes.find((name) => name === parsed.text('kill'));
  if (service === undefined)
    throw usageError(`--kill ${parsed.text('kill')} is none of ${processes.join(', ')}`, helpOf(told));
  if (parsed.text('kill-after') === undefined) return [];
  const afterMs = parsed.integer('kill-after', 0, 86_400_000);
  return [{ service, at: { phase: 'switch', afterMs } }];
}

function exitCode(summary: RehearsalSummary): ExitCode {
  return passed(summary) ? EXIT_CODES.passed : EXIT_CODES.dataIntegrity;
}

function helpOf({ name }: StoryVerb): string {
  return `Run \`sefleet ${name} --help\` for the options.`;
}

function readPlan(told: StoryVerb, parsed: VerbArguments): RehearsalPlan {
  const help = helpOf(told);
  const faults = parseFaults(parsed.text('faults') ?? '');
  if (faults === undefined)
    throw usageError(`--faults ${parsed.text('faults')} is no list of known faults and shares`, help);
  const noticeMs = parseDuration(parsed.text('at') ?? '');
  if (noticeMs === undefined)
    throw usageError(`--at ${parsed.text('at')} is no time like +2m, 90s or 1h`, help);
  const verb = told.verbs.find((name) => name === parsed.text('verb'));
  if (verb === undefined)
    throw usageError(`--verb ${parsed.text('verb')} is none of ${told.verbs.join(', ')}`, help);
  const market = parsed.text('market') ?? '';
  if (!MARKET_ZONES.has(market))
    throw usageError(`--market ${market} is none of ${[...MARKET_ZONES.keys()].join(', ')}`, help);
  if (parsed.text('from') === parsed.text('to')) throw usageError('--from and --to are the same party', help);
  const pause = readPause(parsed, help);
  const plan: RehearsalPlan = {
    story: told.story,
    meters: parsed.integer(told.devices, 1, MAX_METERS),
    from: parsed.text('from') ?? '',
    to: parsed.text('to') ?? '',
    third: parsed.text('third') ?? '',
    verb,
    noticeMs,
    market,
    cutOverAt: readCutOver(parsed.text('cut-over'), help),
    compress: parsed.integer('compress', 1, 10_000),
    faults,
    seed: parsed.integer('seed', 0, 0xffff_ffff),
    pacing: readPacing(parsed, help),
    ...(pause === undefined ? {} : { pause }),
    intervalMinutes: 15,
    windowHours: parsed.integer('window', 1, 72),
    kills: [],
  };
  checkNotice(plan);
  return plan;
}

function readPause(parsed: VerbArguments, help: string): RehearsedPause | undefined {
  const at = parsed.text('pause-at');
  const duration = parsed.text('pause-for') ?? '';
  const forMs = parseDuration(duration);
  if (forMs === undefined || forMs === 0 || forMs > MAX_PAUSE_MS)
    throw usageError(`--pause-for ${duration} is no time like 90s or 2m, at most a day`, help);
  if (at === undefined) return undefined;
  const begin = parsePauseAt(at);
  if (begin === undefined) throw usageError(`--pause-at ${at} is no share like 50% or confirmed=50%`, help);
  return { ...begin, forMs };
}

/** An instant with its offset from UTC, on a whole quarter of an hour: meters read at no other. */
function readCutOver(text: string | undefined, help: string): number | undefined {
  if (text === undefined) return undefined;
  const at = /(?:Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isFinite(at) && at > 0 && at % INTERVAL_MS === 0) return at;
  throw usageError(`--cut-over ${text} is no instant like 2027-03-28T03:00+02:00`, help);
}

function formatSummary(summary: RehearsalSummary, out: string): string {
  const { switched, meters, rolledBack, exceptions, gapWh, overlapWh, residualWh, durationMs } = summary;
  const failed = Object.entries(exceptions).map(([reason, n]) => `${n} ${reason}`);
  const lines = [
    `${switched} of ${meters} meters switched, ${rolledBack} rolled back, exceptions: ${failed.join(', ') || 'none'}`,
    `energy: ${gapWh} Wh in gaps, ${overlapWh} Wh twice, ${residualWh} Wh residual`,
    `old supplier: ${summary.oldSupplierProbesRefused} of ${summary.oldSupplierProbes} probes refused; receipts verified: ${summary.receiptsVerified}; secrets found elsewhere: ${summary.canaryHits}`,
    ...summary.course.flatMap(courseLines),
    ...summary.invariants.map(
      ({ name, holds, detail }) => `${holds ? 'holds ' : 'BROKEN'}  ${name}: ${detail}`,
    ),
    `${(durationMs / 1000).toFixed(1)} s; report: ${join(out, 'index.html')}`,
  ];
  return lines.join('\n');
}
