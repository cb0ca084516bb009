import { readFileSync } from 'node:fs';
import type { RehearsalResult } from '../rehearsal/rehearsal-result.ts';
import { escapeMarkup } from './markup.ts';
import type { RehearsalSummary } from './rehearsal-summary.ts';
import { access, keys, knowledge, rollback, secrets } from './report-access.ts';
import { load, timing } from './report-figures.ts';
import { continuity, energy, run } from './report-sections.ts';
import { exceptions, faults, invariants, outcome, verdict, whatToDo } from './report-verdict.ts';
import { courseSection } from './switch-course.ts';
import { STORIES } from './stories.ts';
import { countText, instantText } from './wording.ts';

const STYLE = readFileSync(new URL('report.css', import.meta.url), 'utf8');

/** The report for people: one file, nothing from anywhere else. */
export function htmlReport(summary: RehearsalSummary, result: RehearsalResult): string {
  const { from, to, verb } = summary.run;
  const { title } = STORIES[summary.run.story];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeMarkup(`${title}, ${from} to ${to}`)}: rehearsal</title>
<style>${STYLE}</style></head><body><main>
<header><p class="eyebrow">Rehearsal: ${escapeMarkup(verb === 'switch' ? title : `${title}, ${verb}`)}</p>
<h1>${escapeMarkup(from)} &rarr; ${escapeMarkup(to)}</h1>
<p class="when">${escapeMarkup(`at ${instantText(Date.parse(summary.run.cutOverAt))}`)}</p>
${verdict(summary)}</header>
${whatToDo(summary)}
${figures(summary)}
${outcome(summary)}
${invariants(summary)}
${faults(summary)}
${exceptions(result)}
${energy(summary, result)}
${continuity(summary, result)}
${access(summary, result)}
${keys(result)}
${rollback(summary, result)}
${courseSection(summary.course)}
${timing(summary, result)}
${load(result)}
${secrets(result)}
${knowledge(summary, result)}
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
    [countText(meters), STORIES[story].devices],
    [countText(switched), 'switched and confirmed'],
    [`${gapWh} ${STORIES[story].unit}`, 'billed by nobody'],
    [`${overlapWh} ${STORIES[story].unit}`, 'billed twice'],
    [`${residualWh} ${STORIES[story].unit}`, 'residual to the registers'],
    [countText(receiptsVerified), 'card receipts verified'],
    [actualReadsPercent === null ? '-' : `${actualReadsPercent} %`, 'of the readings taken at the instant'],
    [
      `${countText(oldSupplierProbesRefused)} / ${countText(oldSupplierProbes)}`,
      'tries of the old supplier refused',
    ],
    [canaryHits, 'planted secrets found elsewhere'],
  ];
  const items = cards.map(
    ([value, label]) => `<div><b>${escapeMarkup(value)}</b><span>${escapeMarkup(label)}</span></div>`,
  );
  return `<section class="figures">${items.join('')}</section>`;
}
