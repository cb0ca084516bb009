import { isSwitchReason, SWITCH_REASONS } from '@sefleet/evidence';
import type { RehearsalResult } from '../rehearsal/rehearsal-result.ts';
import { stackedBar } from './charts.ts';
import { escapeMarkup, table } from './markup.ts';
import { meterRows } from './meter-rows.ts';
import { passed, type RehearsalSummary } from './rehearsal-summary.ts';
import { STORIES } from './stories.ts';
import { countText, several } from './wording.ts';

/** Lines of a table on the page; what is longer stands whole in a file beside it. */
const SHOWN = 50;

/** The answer, before everything else: may the night come, and what is left to do. */
export function verdict(summary: RehearsalSummary): string {
  const broken = summary.invariants.filter(({ holds }) => !holds);
  const { devices } = STORIES[summary.run.story];
  const holds = passed(summary);
  const headline = holds
    ? `Every invariant holds (${summary.invariants.length} of ${summary.invariants.length})`
    : `${broken.length} of ${summary.invariants.length} invariants do not hold`;
  const open = Object.values(summary.exceptions).reduce((sum, n) => sum + n, 0);
  const went = `${countText(summary.switched)} of ${several(summary.meters, devices)} switched and confirmed`;
  const back = summary.rolledBack === 0 ? '' : `, ${countText(summary.rolledBack)} taken back`;
  const left = open === 0 ? ', no exception' : `, ${several(open, 'exceptions')}`;
  const found = Object.values(summary.findings).reduce((sum, n) => sum + n, 0);
  const wrong = found === 0 ? '' : `, ${countText(found)} switched with something to mend`;
  const list = broken.map(
    ({ name, detail }) => `<li><b>${escapeMarkup(name)}</b>: ${escapeMarkup(detail)}</li>`,
  );
  return `<p class="verdict ${holds ? 'holds' : 'fails'}">${escapeMarkup(headline)}</p>
<p class="lead">${escapeMarkup(`${went}${back}${left}${wrong}. Exit code ${holds ? 0 : 5}.`)}</p>
${list.length === 0 ? '' : `<ul class="broken">${list.join('')}</ul>`}`;
}

/** What a person does about what is left, reason by reason; the most frequent first. */
export function whatToDo({ exceptions, findings, run: { story } }: RehearsalSummary): string {
  const { devices } = STORIES[story];
  const items = (counts: Readonly<Record<string, number>>, state: string): readonly string[] =>
    Object.entries(counts)
      .toSorted(([, a], [, b]) => b - a)
      .map(([reason, n]) => {
        const { meaning, action } = isSwitchReason(reason)
          ? SWITCH_REASONS[reason]
          : { meaning: '', action: '' };
        return `<li><b>${escapeMarkup(`${several(n, devices)}: ${reason}`)}</b> <span>${state}</span>
<p>${escapeMarkup(meaning)}</p><p class="act">${escapeMarkup(action)}</p></li>`;
      });
  const all = [...items(exceptions, 'not switched'), ...items(findings, 'switched')];
  return `<section><h2>What to do</h2>${
    all.length === 0
      ? `<p>Nothing: no ${devices} ended as an exception.</p>`
      : `<ul class="todo">${all.join('\n')}</ul>`
  }</section>`;
}

/** How many came through, in a picture. */
export function outcome({ switched, rolledBack, exceptions }: RehearsalSummary): string {
  const parts = [
    { label: 'confirmed', value: switched, tone: 'good' as const },
    { label: 'taken back', value: rolledBack, tone: 'warn' as const },
    {
      label: 'exceptions',
      value: Object.values(exceptions).reduce((sum, n) => sum + n, 0),
      tone: 'bad' as const,
    },
  ];
  const legend = parts.map(
    ({ label, value, tone }) => `<span class="key ${tone}">${label}: ${countText(value)}</span>`,
  );
  return `<section><h2>Outcome</h2>${stackedBar(parts)}<p class="legend">${legend.join(' ')}</p></section>`;
}

/** Rule by rule; what is broken comes first. */
export function invariants({ invariants: all }: RehearsalSummary): string {
  const ordered = all.toSorted((a, b) => Number(a.holds) - Number(b.holds));
  return `<section><h2>Invariants</h2>
<p>Found by a checker that shares no code with the meters, the switch or the billing.</p>
${table(
  ['invariant', 'holds', 'detail'],
  ordered.map(({ name, holds, detail }) => [name, holds ? 'yes' : 'NO', detail]),
)}</section>`;
}

/** What became of the meters on which a fault was played. */
export function faults({ faults: counts, run: { story } }: RehearsalSummary): string {
  if (counts.length === 0) return '';
  const rows = counts.map(({ fault, played, survived, rolledBack, exceptions, detected }) => [
    fault,
    played,
    survived,
    rolledBack,
    exceptions,
    detected ?? '-',
  ]);
  return `<section><h2>Faults that were played</h2>
<p>Found means: ended as an exception with the reason of this very fault. Some ${STORIES[story].devices} had
several faults, so that another one can have come first.</p>
${table(['fault', 'played on', 'survived', 'taken back', 'exceptions', 'of them found'], rows)}</section>`;
}

/** Devices that were not confirmed, or have something wrong. */
export function exceptions(result: RehearsalResult): string {
  const failed = meterRows(result)
    .filter(({ reason }) => reason !== '')
    .toSorted((a, b) => Number(a.state === 'confirmed') - Number(b.state === 'confirmed'));
  if (failed.length === 0) return '';
  const rows = failed
    .slice(0, SHOWN)
    .map(({ endpoint, state, reason, detail, staysWith }) => [endpoint, state, reason, staysWith, detail]);
  const more =
    failed.length > SHOWN ? `<p>${failed.length - SHOWN} more: exceptions.csv has all of them.</p>` : '';
  return `<section><h2>Exceptions and roll-backs, device by device</h2>
${table(['device', 'state', 'reason', 'supplied by', 'detail'], rows)}${more}</section>`;
}
