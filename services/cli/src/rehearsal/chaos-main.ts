import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createProgress } from '../terminal/progress.ts';
import { AT_ONCE } from '../switching/pacing.ts';
import { parseFaults } from './rehearsal-plan.ts';
import { RehearsalServices } from './rehearsal-services.ts';
import { runRehearsal } from './run-rehearsal.ts';

/**
 * Rehearses a switch of a few meters again and again, with faults, and with one service killed once: which
 * one and when, the seed decides. On the light ground that is provisioning, on the live one any of the
 * services. `--parallel` runs go on at once, each with services of its own: most of a run is waiting for what
 * was lost. Ends with 5 unless every invariant of every run holds.
 */
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    meters: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
    ground: { type: 'string', default: 'light' },
    parallel: { type: 'string', default: '1' },
  },
});
const FAULTS =
  'offline=10%,lost-ack=20%,power-cut=20%,duplicate=20%,drift=20%,swap=2%,tsm-preload=2%,se-full=2%';
/** A run of fifty meters lasts a few seconds; a kill can fall into any part of it. */
const KILL_SPAN_MS = { light: 4000, live: 15_000 } as const;
const DATA_INTEGRITY = 5;

const ground = values.ground === 'live' ? 'live' : 'light';
const chance = (what: string): number => createHash('sha256').update(what).digest().readUInt32BE(0) / 2 ** 32;
const parent = resolve('.sefleet');
mkdirSync(parent, { recursive: true });
let broken = 0;
let next = 1;
await Promise.all(
  Array.from({ length: Number(values.parallel) }, async () => {
    while (next <= Number(values.runs)) await rehearseOnce(next++);
  }),
);
console.log(`${Number(values.runs) - broken} of ${values.runs} runs: all invariants hold`);
process.exit(broken === 0 ? 0 : DATA_INTEGRITY);

/** One switch, with services and a folder of its own. */
async function rehearseOnce(run: number): Promise<void> {
  const seed = Number(values.seed) + run;
  const dataFolder = mkdtempSync(join(parent, 'chaos-'));
  const suppliers = ['northern-power', 'sunrise-energy'];
  const services = await RehearsalServices.start({ dataFolder, ground, suppliers });
  const killAfterMs = chance(`kill/${seed}`) * KILL_SPAN_MS[ground];
  const killService = services.killable[Math.floor(chance(`service/${seed}`) * services.killable.length)];
  try {
    const plan = {
      story: 'supplier-switch' as const,
      meters: Number(values.meters),
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
      verb: 'switch' as const,
      intervalMinutes: 15,
      windowHours: 6,
      killAfterMs,
      ...(killService === undefined ? {} : { killService }),
    };
    const silent = {
      ...createProgress(),
      update: () => undefined,
      finish: () => undefined,
      say: () => undefined,
    };
    const { verdict } = await runRehearsal(plan, services, silent);
    const failed = verdict.invariants.filter(({ holds }) => !holds);
    if (failed.length > 0) broken++;
    console.log(
      JSON.stringify({
        run,
        seed,
        killAfterMs: Math.round(killAfterMs),
        killService,
        switched: verdict.switched,
        exceptions: verdict.exceptions,
        failed,
      }),
    );
  } finally {
    await services.stop();
    rmSync(dataFolder, { recursive: true, force: true });
  }
}
