import type { RehearsalResult } from '../rehearsal/rehearsal-result.ts';
import { curves, histogram } from './charts.ts';
import { table } from './markup.ts';
import { endOf } from './meter-rows.ts';
import { readingOffsets, type RehearsalSummary } from './rehearsal-summary.ts';

const MINUTE_MS = 60_000;

/** Durations and deadlines. */
export function timing({ timingsMs }: RehearsalSummary, result: RehearsalResult): string {
  const { bundle } = result;
  const confirmed = bundle.meters.filter(({ state }) => state === 'confirmed');
  const minutes = confirmed.map((meter) => (endOf(meter) - meter.cutOverAt) / MINUTE_MS);
  const offsets = readingOffsets(result).map((ms) => Math.abs(ms) / 1000);
  const row = (name: string, found: RehearsalSummary['timingsMs']['staging']) =>
    found === null ? [name, '-', '-', '-', '-'] : [name, found.p50, found.p95, found.p99, found.max];
  const rows = [
    row('look-up at the market (2 h at the most)', timingsMs.lookUp),
    row('staging: first step to noted instant', timingsMs.staging),
    row('instant to confirmed', timingsMs.instantToConfirmed),
    row('both suppliers had a way in', timingsMs.bothHadAccess),
    row('offset of the reading', timingsMs.readingOffset),
  ];
  const deadlines = bundle.switches.map(({ from, to, cutOverAt, deadlineAt, switchId }) => {
    const own = confirmed.filter((meter) => meter.switchId === switchId);
    const late = own.filter((meter) => endOf(meter) > deadlineAt).length;
    return [
      `${from} to ${to}`,
      new Date(cutOverAt).toISOString(),
      new Date(deadlineAt).toISOString(),
      own.length - late,
      late,
    ];
  });
  return `<section><h2>Time</h2>
<h3>From the instant to the confirmed switch, minutes of the rehearsal's clock</h3>
${histogram(minutes, 'min', 'instant to confirmed')}
<h3>By how much the cut-over reading missed the instant, seconds</h3>
${histogram(offsets, 's', 'offset of the cut-over reading')}
${table(['milliseconds', 'p50', 'p95', 'p99', 'max'], rows)}
<h3>Deadline of the technical switch</h3>
${table(['switch', 'instant', 'deadline', 'in time', 'late'], deadlines)}</section>`;
}

/** What the work was like for those who did it. */
export function load({ load: profile, phasesMs }: RehearsalResult): string {
  const { samples, services } = profile;
  const points = (pick: (sample: (typeof samples)[number]) => number) =>
    samples.map((sample) => [sample.atMs, pick(sample)] as const);
  const seconds = `${((samples.at(-1)?.atMs ?? 0) / 1000).toFixed(1)} s`;
  const rows = services.map(({ service, cpuPercentMax, cpuSeconds, memoryMiBMax }) => [
    service,
    cpuPercentMax,
    cpuSeconds,
    memoryMiBMax,
  ]);
  const header = ['service', 'CPU, % of a core', 'CPU seconds', 'memory, MiB'];
  const facts = [
    ['commands to cards, most in a second', profile.commandsPerSecondMax],
    ['devices due or worked on, at the most', profile.workingMax],
    ['devices not through, at the most', profile.backlogMax],
    ...Object.entries(phasesMs).map(([phase, ms]) => [`${phase}, ms`, ms]),
  ];
  return `<section><h2>Load</h2>
<h3>Backlog, work at once and commands to cards over real time</h3>
${curves(
  [
    { label: 'devices not through', points: points(({ backlog }) => backlog) },
    { label: 'devices due or worked on', points: points(({ working }) => working) },
    { label: 'commands to cards a second', points: points(({ commandsPerSecond }) => commandsPerSecond) },
  ],
  seconds,
  'backlog over time',
)}
${table(['peak', ''], facts)}
${services.length === 0 ? '' : table(header, rows)}</section>`;
}
