/**
 * A supplier switch of 2,000 meters, faults and all, through `sefleet rehearse supplier-switch`.
 * `node test/load/bench-switch.ts [--json] [--meters 2000] [--rounds 1] [--ground light]`
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    meters: { type: 'string', default: '2000' },
    rounds: { type: 'string', default: '1' },
    ground: { type: 'string', default: 'live' },
  },
});
const FAULTS = 'offline=2%,lost-ack=1%,drift=3%';
/** Seconds that 2,000 meters may take on two cores. */
const GOAL_SECONDS = 180;
const INVARIANT_BROKEN = 5;

const seconds: number[] = [];
let broken = false;
for (let round = 0; round < Number(values.rounds); round++) {
  const out = mkdtempSync(join(tmpdir(), 'switch-'));
  const args = [
    'services/cli/src/main.ts',
    'rehearse',
    'supplier-switch',
    '--meters',
    values.meters,
    '--ground',
    values.ground,
    '--faults',
    FAULTS,
  ];
  const ended = spawnSync(process.execPath, [...args, '--seed', String(11 + round), '--out', out], {
    stdio: 'ignore',
  });
  broken ||= ended.status !== 0;
  const summary: { durationMs: number } = JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8'));
  seconds.push(summary.durationMs / 1000);
  rmSync(out, { recursive: true });
}
seconds.sort((a, b) => a - b);
const value = seconds[Math.floor(seconds.length / 2)] ?? 0;
const report = {
  benchmark: 'switch',
  commit: execFileSync('git', ['rev-parse', '--short', 'HEAD']).toString().trim(),
  node: process.version,
  cpus: cpus().length,
  results: [
    {
      name: `switch-${values.meters}${values.ground === 'live' ? '' : `-${values.ground}`}`,
      subject: 'sefleet',
      value,
      unit: 's',
      goal: (GOAL_SECONDS * Number(values.meters)) / 2000,
      better: 'lower',
      holds: !broken && value <= (GOAL_SECONDS * Number(values.meters)) / 2000,
      minimum: seconds[0],
      maximum: seconds.at(-1),
    },
  ],
};
if (values.json) console.log(JSON.stringify(report));
else console.table(report.results);
process.exit(broken ? INVARIANT_BROKEN : 0);
