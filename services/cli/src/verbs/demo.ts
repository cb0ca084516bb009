import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { SefleetError } from '@sefleet/errors';
import { connectStream } from '@sefleet/runtime/node';
import manifest from '../../package.json' with { type: 'json' };
import { connectBackend } from '../backend.ts';
import { usageError, type Verb, type VerbArguments } from '../command-line.ts';
import { runDemo } from '../demo/run-demo.ts';
import type { DemoPlan } from '../demo/plan.ts';
import { FLEET_OPTIONS, isPlain, readFleetOptions } from '../fleet/fleet-options.ts';
import { formatSummary, isComplete, isIntact, summarise } from '../demo/summary.ts';
import { EXIT_CODES, type ExitCode } from '../exit-codes.ts';
import { interruptedError, onInterruption } from '../interruption.ts';
import { FLEET_NAMES, onFreePorts, readLayout } from '../supervisor/layout.ts';
import { startServices, type Supervisor } from '../supervisor/supervisor.ts';
import { writeResult } from '../result-file.ts';
import { createProgress, type Progress } from '../terminal/progress.ts';

export const demo: Verb = {
  name: 'demo',
  summary: 'run the main job on a fleet of its own: register, stream, rotate keys, account for every record',
  options: {
    ...FLEET_OPTIONS,
    duration: { type: 'string', value: 'seconds', default: '20', doc: 'how long the fleet streams' },
    json: { type: 'string', value: 'file', doc: 'writes the summary there; `-` is standard output' },
    data: {
      type: 'string',
      value: 'folder',
      doc: 'keeps data and logs there instead of in a folder that is removed',
    },
    'log-level': { type: 'string', value: 'level', default: 'info', doc: 'log level of the services' },
  },
  examples: [
    'sefleet demo',
    'sefleet demo --meters 600 --obus 200 --gateways 200 --duration 30 --seed 7 --json out.json',
    'sefleet demo --transport coaps+tcp',
    'sefleet demo --credential x509 --bootstrap smartcard',
  ],
  run: runVerb,
};

/** Every device says good-bye; a large fleet takes a while. */
const STOP_LIMIT_MS = 300_000;

async function runVerb(parsed: VerbArguments): Promise<ExitCode> {
  const startedMs = performance.now();
  const plan = readPlan(parsed);
  const progress = createProgress();
  let supervisor: Supervisor | undefined;
  const abort = Promise.withResolvers<never>();
  abort.promise.catch(() => {
    // An interruption while the services start is met when they have started: then they are stopped in order.
  });
  // Before there is anything to tidy up: from the first folder on an interruption finds somebody who does.
  onInterruption((exitCode) => abort.reject(interruptedError(exitCode)));
  const kept = parsed.text('data');
  const dataFolder = kept === undefined ? temporaryFolder() : resolve(kept);
  try {
    const asked = { ...readLayout(process.env), dataFolder };
    const layout = await onFreePorts(isPlain(plan) ? { ...asked, plainEndpoints: FLEET_NAMES } : asked);
    await requireBroker(layout.mqttUrl);
    supervisor = await startServices({
      layout,
      logLevel: parsed.text('log-level') ?? 'info',
      onEvent: (event) => {
        if (event.kind === 'restarting') progress.say(`restarting ${event.service}: ${event.reason}`);
      },
    });
    await Promise.race([abort.promise, Promise.resolve()]);
    progress.finish('start', `4 services ready in ${Math.round(performance.now() - startedMs)} ms`);
    const job = runJob({ layout, plan, progress, startedMs, jsonFile: parsed.text('json') });
    const failed = supervisor.failed.then((error) => Promise.reject(error));
    return await Promise.race([job, failed, abort.promise]);
  } finally {
    await supervisor?.stop();
    if (kept === undefined) rmSync(dataFolder, { recursive: true, force: true });
  }
}

async function runJob(job: {
  readonly layout: Parameters<typeof connectBackend>[0];
  readonly plan: DemoPlan;
  readonly progress: Progress;
  readonly startedMs: number;
  readonly jsonFile: string | undefined;
}): Promise<ExitCode> {
  const backend = connectBackend(job.layout);
  try {
    const seen = await runDemo(backend, job.plan, job.progress, job.startedMs);
    const summary = summarise(job.plan, seen, manifest.version);
    const text = `${JSON.stringify(summary, null, 2)}\n`;
    if (job.jsonFile === '-') process.stdout.write(text);
    else {
      if (job.jsonFile !== undefined) writeResult(job.jsonFile, text);
      console.log(formatSummary(summary));
    }
    await backend.simulation.stopFleet({}, { deadlineMs: STOP_LIMIT_MS });
    if (!isIntact(summary)) return EXIT_CODES.dataIntegrity;
    return isComplete(summary) ? EXIT_CODES.passed : EXIT_CODES.thresholdFailed;
  } finally {
    backend.close();
  }
}

function readPlan(parsed: VerbArguments): DemoPlan {
  const plan = { ...readFleetOptions(parsed), durationSeconds: parsed.integer('duration', 1, 86_400) };
  const json = parsed.text('json');
  if (json !== undefined && json !== '-' && !existsSync(dirname(resolve(json)))) {
    throw usageError(`the folder of --json ${json} does not exist`, 'Make it first, or choose another file.');
  }
  const data = parsed.text('data');
  if (data !== undefined && existsSync(join(resolve(data), 'device-sim'))) {
    throw usageError(
      `${data} holds the fleet of an earlier run`,
      'Give --data a new folder, or remove that one.',
    );
  }
  return plan;
}

/** The demo cannot account for records without a broker: an external one has to be there from the start. */
async function requireBroker(url: string): Promise<void> {
  if (url === '') return;
  try {
    const { hostname, port } = new URL(url);
    const connection = await connectStream({ address: hostname, port: Number(port) });
    connection.close();
  } catch (cause) {
    throw new SefleetError('CLI_BROKER_UNREACHABLE', 'environment', `no MQTT broker answers at ${url}`, {
      cause,
      hint: 'Start it, correct SEFLEET_MQTT_URL, or unset it to use the embedded broker.',
    });
  }
}

function temporaryFolder(): string {
  const parent = resolve('.sefleet');
  mkdirSync(parent, { recursive: true });
  return mkdtempSync(join(parent, 'demo-'));
}
