import { readFileSync } from 'node:fs';
import type { RehearsalResult } from '../rehearsal/rehearsal-result.ts';
import { stackedBar } from './charts.ts';
import { escapeMarkup, table } from './markup.ts';
import { passed, type RehearsalSummary } from './rehearsal-summary.ts';
import { load, timing } from './report-figures.ts';
import { continuity, exceptions, keys, knowledge, probes, run, secrets } from './report-sections.ts';
import { STORIES } from './stories.ts';

const STYLE = readFileSync(new URL('report.css', import.meta.url), 'utf8');

/** The report for people: one file, nothing from anywhere else. */
export function htmlReport(summary: RehearsalSummary, result: RehearsalResult): string {
  const verdict = passed(summary) ? 'Every invariant holds' : 'An invariant does not hold';
  const { from, to, verb } = summary.run;
  const { title } = STORIES[summary.run.story];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeMarkup(`${title}, ${from} to ${to}`)}: rehearsal</title>
<style>${STYLE}</style></head><body><main>
<header><p class="eyebrow">Rehearsal: ${escapeMarkup(`${title}, ${verb}`)}</p>
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
${exceptions(result)}
${continuity(summary, result)}
${timing(summary, result)}
${load(result)}
${keys(result)}
${probes(result)}
${secrets(result)}
${knowledge(result)}
${run(summary)}
</main></body></html>
`;
}

function figures({
  run: { story },
  meters,
  switched,
  gapWh,
  overlapWh,
  residualWh,
  receiptsVerified,
  canaryHits,
  actualReadsPercent,
  oldSupplierProbes,
  oldSupplierProbesRefused,
}: RehearsalSummary): string {
  const cards: readonly (readonly [string | number, string])[] = [
    [meters, STORIES[story].devices],
    [switched, 'switched and confirmed'],
    [`${gapWh} ${STORIES[story].unit}`, 'billed by nobody'],
    [`${overlapWh} ${STORIES[story].unit}`, 'billed twice'],
    [`${residualWh} ${STORIES[story].unit}`, 'residual to the registers'],
    [receiptsVerified, 'card receipts verified'],
    [`${actualReadsPercent} %`, 'of the readings taken at the instant'],
    [`${oldSupplierProbesRefused} of ${oldSupplierProbes}`, 'tries of the old supplier refused'],
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
