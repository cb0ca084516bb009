import type { NetworkProfile } from '../rehearsal/network-sampler.ts';
import type { RehearsalResult } from '../rehearsal/rehearsal-result.ts';
import { curves, histogram } from './charts.ts';
import { table } from './markup.ts';
import { endOf } from './meter-rows.ts';
import { readingOffsets, type Percentiles, type RehearsalSummary } from './rehearsal-summary.ts';
import { instantText, spanText } from './wording.ts';

const MINUTE_MS = 60_000;

/** Durations and deadlines. */
export function timing({ timingsMs }: RehearsalSummary, result: RehearsalResult): string {
  const { bundle } = result;
  const confirmed = bundle.meters.filter(({ state }) => state === 'confirmed');
  const minutes = confirmed.map((meter) => (endOf(meter) - meter.cutOverAt) / MINUTE_MS);
  const offsets = readingOffsets(result).map((ms) => Math.abs(ms) / 1000);
  const row = (name: string, found: Percentiles | null) =>
    found === null
      ? [name, '-', '-', '-', '-']
      : [name, ...[found.p50, found.p95, found.p99, found.max].map(spanText)];
  const rows = [
    row('order accepted: first step to the market\u2019s answer', timingsMs.orderToAccepted),
    row('look-up at the market (2 h at the most)', timingsMs.lookUp),
    row('accepted to new keys on the card', timingsMs.acceptedToInstalled),
    row('staging: first step to noted instant', timingsMs.staging),
    row('instant to the new supplier\u2019s first record', timingsMs.instantToFirstRecord),
    row('instant to confirmed', timingsMs.instantToConfirmed),
    row('both suppliers had a way in', timingsMs.bothHadAccess),
    row('registered with both suppliers\u2019 servers, real time', timingsMs.registeredWithBoth),
    row('taking a meter back', timingsMs.takeBack),
    row('offset of the reading', timingsMs.readingOffset),
  ];
  const deadlines = bundle.switches.map(({ from, to, cutOverAt, deadlineAt, switchId }) => {
    const own = confirmed.filter((meter) => meter.switchId === switchId);
    const late = own.filter((meter) => endOf(meter) > deadlineAt).length;
    return [`${from} to ${to}`, instantText(cutOverAt), instantText(deadlineAt), own.length - late, late];
  });
  return `<section><h2>Time</h2>
<h3>From the instant to the confirmed switch, minutes of the rehearsal's clock</h3>
${histogram(minutes, 'min', 'instant to confirmed')}
<h3>By how much the cut-over reading missed the instant, seconds</h3>
${histogram(offsets, 's', 'offset of the cut-over reading')}
${table(['by the rehearsal\u2019s clock', 'p50', 'p95', 'p99', 'max'], rows)}
<h3>Deadline of the technical switch</h3>
${table(['switch', 'instant', 'deadline', 'in time', 'late'], deadlines)}</section>`;
}

/** What the work was like for those who did it. */
export function load({ load: profile, phasesMs }: RehearsalResult): string {
  const { samples, services } = profile;
  const points = (pick: (sample: (typeof samples)[number]) => number) =>
    samples.map((sample) => [sample.atMs, pick(sample)] as const);
  const seconds = `${((samples.at(-1)?.atMs ?? 0) / 1000).toFixed(1)} s`;
  const rows = services.map(({ service, cpuPercentMax, cpuSeconds, memoryMiBMax, warnings, errors }) => [
    service,
    cpuPercentMax,
    cpuSeconds,
    memoryMiBMax,
    warnings,
    errors,
  ]);
  const header = ['service', 'CPU, % of a core', 'CPU seconds', 'memory, MiB', 'warnings', 'errors'];
  const facts = [
    ['commands to cards, most in a second', profile.commandsPerSecondMax],
    ['devices due or worked on, at the most', profile.workingMax],
    ['devices not through, at the most', profile.backlogMax],
  ];
  const phases = Object.entries(phasesMs).map(([phase, ms]) => [phase, spanText(ms)]);
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
${network(profile.network)}
<h3>Services</h3>
${services.length === 0 ? '<p>This system tells nothing about processes.</p>' : table(header, rows)}
${table(['phase', 'real time'], phases)}</section>`;
}

/** What the LwM2M servers did, where there is a network. */
function network(profile: NetworkProfile | undefined): string {
  if (profile === undefined)
    return `<h3>Network</h3><p>None: on the light ground cards are real and the network is not there, so that
registrations, DTLS handshakes and CoAP retransmissions cannot be told. 
<code>--ground live</code> has them.</p>`;
  const { samples } = profile;
  const points = (pick: (sample: (typeof samples)[number]) => number) =>
    samples.map((sample) => [sample.atMs, pick(sample)] as const);
  return `<h3>Registrations, DTLS handshakes and CoAP retransmissions of all LwM2M servers over real time</h3>
${curves(
  [
    { label: 'registrations a second', points: points((sample) => sample.registrationsPerSecond) },
    { label: 'handshakes a second', points: points((sample) => sample.handshakesPerSecond) },
    { label: 'retransmissions a second', points: points((sample) => sample.retransmissionsPerSecond) },
  ],
  `${((samples.at(-1)?.atMs ?? 0) / 1000).toFixed(1)} s`,
  'network over time',
)}
${table(
  ['network', 'in all', 'most in a second'],
  [
    ['registrations', profile.registrations, profile.registrationsPerSecondMax],
    ['DTLS handshakes', profile.handshakes, profile.handshakesPerSecondMax],
    ['DTLS handshakes that failed', profile.handshakesFailed, '-'],
    ['CoAP messages of servers', profile.messagesSent, '-'],
    [
      `of them sent again (${profile.retransmissionsPercent} %)`,
      profile.retransmissions,
      profile.retransmissionsPerSecondMax,
    ],
    ['never acknowledged', profile.timedOut, '-'],
    ['CoAP messages that came a second time', profile.duplicates, '-'],
  ],
)}`;
}
