import { readFileSync } from 'node:fs';
import type { RehearsalResult } from '../rehearsal/rehearsal-result.ts';
import { histogram, stackedBar } from './charts.ts';
import { escapeMarkup, table } from './markup.ts';
import { endOf, passed, readingOffsets, type RehearsalSummary } from './rehearsal-summary.ts';

const STYLE = readFileSync(new URL('report.css', import.meta.url), 'utf8');
const MINUTE_MS = 60_000;
const EXCEPTIONS_SHOWN = 200;

/** The report for people: one file, nothing from anywhere else. */
export function htmlReport(summary: RehearsalSummary, result: RehearsalResult): string {
  const verdict = passed(summary) ? 'Every invariant holds' : 'An invariant does not hold';
  const { from, to } = summary.run;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Supplier switch ${escapeMarkup(from)} to ${escapeMarkup(to)}: rehearsal</title>
<style>${STYLE}</style></head><body><main>
<header><p class="eyebrow">Rehearsal of a supplier switch</p>
<h1>${escapeMarkup(from)} &rarr; ${escapeMarkup(to)}</h1>
<p class="verdict ${passed(summary) ? 'holds' : 'fails'}">${verdict}</p></header>
${figures(summary)}
${outcome(summary)}
<section><h2>Invariants</h2>
<p>Found by a checker that shares no code with the meters, the switch or the billing.</p>
${table(
  ['invariant', 'holds', 'detail'],
  summary.invariants.map(({ name, holds, detail }) => [name, holds ? 'yes' : 'NO', detail]),
)}</section>
${timing(summary, result)}
${keys(result)}
${probes(result)}
${knowledge(result)}
${exceptions(result)}
${run(summary)}
</main></body></html>
`;
}

function figures({
  meters,
  switched,
  gapWh,
  overlapWh,
  residualWh,
  receiptsVerified,
  canaryHits,
}: RehearsalSummary): string {
  const cards: readonly (readonly [string | number, string])[] = [
    [meters, 'meters'],
    [switched, 'switched and confirmed'],
    [`${gapWh} Wh`, 'billed by nobody'],
    [`${overlapWh} Wh`, 'billed twice'],
    [`${residualWh} Wh`, 'residual to the registers'],
    [receiptsVerified, 'card receipts verified'],
    [canaryHits, 'planted secrets found elsewhere'],
  ];
  const items = cards.map(
    ([value, label]) => `<div><b>${escapeMarkup(value)}</b><span>${escapeMarkup(label)}</span></div>`,
  );
  return `<section class="figures">${items.join('')}</section>`;
}

function outcome({ switched, rolledBack, exceptions: reasons }: RehearsalSummary): string {
  const failed = Object.values(reasons).reduce((sum, n) => sum + n, 0);
  const rows = [
    ['confirmed', switched],
    ['rolled back', rolledBack],
    ...Object.entries(reasons).map(([reason, n]) => [`exception: ${reason}`, n]),
  ];
  return `<section><h2>Outcome</h2>${stackedBar([
    { label: 'confirmed', value: switched, tone: 'good' },
    { label: 'rolled back', value: rolledBack, tone: 'warn' },
    { label: 'exceptions', value: failed, tone: 'bad' },
  ])}${table(['outcome', 'meters'], rows as (string | number)[][])}</section>`;
}

function timing({ timingsMs }: RehearsalSummary, result: RehearsalResult): string {
  const { bundle } = result;
  const confirmed = bundle.meters.filter(({ state }) => state === 'confirmed');
  const minutes = confirmed.map((meter) => (endOf(meter) - meter.cutOverAt) / MINUTE_MS);
  const offsets = readingOffsets(result).map((ms) => Math.abs(ms) / 1000);
  const row = (name: string, { p50, p95, p99, max }: RehearsalSummary['timingsMs']['staging']) => [
    name,
    p50,
    p95,
    p99,
    max,
  ];
  const rows = [
    row('staging', timingsMs.staging),
    row('instant to confirmed', timingsMs.instantToConfirmed),
    row('both suppliers had a way in', timingsMs.bothHadAccess),
    row('offset of the reading', timingsMs.readingOffset),
  ];
  return `<section><h2>Time</h2>
<h3>From the instant to the confirmed switch, minutes of the rehearsal's clock</h3>
${histogram(minutes, 'min', 'instant to confirmed')}
<h3>By how much the cut-over reading missed the instant, seconds</h3>
${histogram(offsets, 's', 'offset of the cut-over reading')}
${table(['milliseconds', 'p50', 'p95', 'p99', 'max'], rows)}</section>`;
}

function keys({ bundle }: RehearsalResult): string {
  const counts = new Map<string, number>();
  for (const { keyStates } of bundle.meters) {
    for (const { when, keys: held } of keyStates) {
      const versions = [...new Set(held.map((key) => key.split('/')[1]))].join(', ');
      const name = `${when}: ${held.length === 0 ? 'no key' : `${held.length} keys of version ${versions}`}`;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }
  const sample = bundle.meters.find(({ newKeyCheckValues }) => newKeyCheckValues.length > 0);
  const shown =
    sample === undefined
      ? ''
      : `<p>${escapeMarkup(`${sample.endpoint}: check values ${sample.newKeyCheckValues.join(', ')}.`)}</p>`;
  return `<section><h2>Keys as the cards report them</h2>
${table(['state of a domain', 'meters'], [...counts])}${shown}</section>`;
}

function probes({ bundle }: RehearsalResult): string {
  const counts = new Map<string, number>();
  for (const { by, attempt, sw } of bundle.meters.flatMap((meter) => meter.probes)) {
    const name = `${by}\u0000${attempt}\u0000${sw}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const rows = [...counts].map(([name, n]) => [...name.split('\u0000'), n]);
  return `<section><h2>What the old supplier tried</h2>
${table(['party', 'attempt', 'status word', 'times'], rows)}</section>`;
}

function knowledge({ parties }: RehearsalResult): string {
  const rows = parties.map(({ title, roles, holds }) => [
    title,
    roles.join(', '),
    holds.join(', ') || 'nothing',
  ]);
  return `<section><h2>Who holds what</h2><p>Keys in each party's own vault. Keys that were agreed through the controlling
authority's domain appear with their owner only.</p>${table(['party', 'roles', 'vault'], rows)}</section>`;
}

function exceptions({ bundle, details }: RehearsalResult): string {
  const failed = bundle.meters.filter(({ state }) => state !== 'confirmed');
  if (failed.length === 0) return '';
  const rows = failed
    .slice(0, EXCEPTIONS_SHOWN)
    .map(({ endpoint, state, reason }) => [endpoint, state, reason, details.get(endpoint) ?? '']);
  const more =
    failed.length > EXCEPTIONS_SHOWN
      ? `<p>${failed.length - EXCEPTIONS_SHOWN} more in exceptions.csv.</p>`
      : '';
  return `<section><h2>Exceptions and roll-backs</h2>
${table(['meter', 'state', 'reason', 'detail'], rows)}${more}</section>`;
}

function run({ run: identity, durationMs }: RehearsalSummary): string {
  const rows = Object.entries(identity).map(([name, value]) => [
    name,
    typeof value === 'object' ? JSON.stringify(value) : value,
  ]);
  return `<section><h2>This run</h2>${table(['', ''], [...rows, ['real time, ms', durationMs]])}
<p>Verify the evidence without trusting this page:
<code>sefleet report verify bundle.json</code>.</p></section>`;
}
