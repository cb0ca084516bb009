import type { RehearsalResult } from '../rehearsal/rehearsal-result.ts';
import { stackedColumns } from './charts.ts';
import { escapeMarkup, table } from './markup.ts';
import { meterRows } from './meter-rows.ts';
import type { RehearsalSummary } from './rehearsal-summary.ts';
import { STORIES } from './stories.ts';

/** Lines of a table on the page; what is longer stands whole in a file beside it. */
const SHOWN = 50;
const INTERVALS_SHOWN = 192;

/** Which readings are there, when and whose; what was billed wrongly; and the readings that missed most. */
export function continuity({ run: { story } }: RehearsalSummary, result: RehearsalResult): string {
  const { intervals, misbillings } = result.verdict;
  const suppliers = [...new Set(intervals.flatMap(({ bySupplier }) => Object.keys(bySupplier)))];
  const shown = intervals.slice(-INTERVALS_SHOWN);
  const columns = shown.map(({ at, bySupplier }) => {
    return { title: timeOf(at), parts: suppliers.map((name) => bySupplier[name] ?? 0) };
  });
  const missing = intervals.reduce((sum, { expected, received }) => sum + expected - received, 0);
  const worst = meterRows(result)
    .filter(({ offsetMs }) => offsetMs !== '' && offsetMs !== 0)
    .toSorted((a, b) => Math.abs(Number(b.offsetMs)) - Math.abs(Number(a.offsetMs)));
  const wrong = misbillings.slice(0, SHOWN).map(({ endpoint, from, until, energyWh, times }) => {
    return [endpoint, timeOf(from), timeOf(until), energyWh, times];
  });
  const { unit } = STORIES[story];
  return `<section><h2>Readings</h2>
<h3>Readings by interval and supplier</h3>
${stackedColumns(columns, suppliers, 'readings by interval and supplier')}
<p>${intervals.length} intervals, ${missing} readings missing, ${misbillings.length} intervals not billed
exactly once. All of them: intervals.csv, misbillings.csv.</p>
${
  wrong.length === 0
    ? ''
    : `<h3>Gaps and overlaps</h3>${table(['device', 'from', 'until', unit, 'times billed'], wrong)}`
}
${daysOf(result)}
<h3>Cut-over readings that missed the instant by most</h3>
${
  worst.length === 0
    ? '<p>None did.</p>'
    : table(
        ['device', 'register', 'source', 'offset, ms'],
        worst
          .slice(0, 10)
          .map(({ endpoint, registerWh, source, offsetMs }) => [endpoint, registerWh, source, offsetMs]),
      )
}</section>`;
}

/** Keys of old and new domains, as cards report them. */
export function keys(result: RehearsalResult): string {
  const counts = new Map<string, number>();
  for (const { keyStates } of result.bundle.meters) {
    for (const { when, keys: held } of keyStates) {
      const versions = [...new Set(held.map((key) => key.split('/')[1]))].join(', ');
      const name = `${when}: ${held.length === 0 ? 'no key' : `${held.length} keys of version ${versions}`}`;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }
  const rows = meterRows(result);
  const statuses = new Map<string, number>();
  for (const { keyStatus } of rows) statuses.set(keyStatus, (statuses.get(keyStatus) ?? 0) + 1);
  const matrix = rows
    .slice(0, SHOWN)
    .map(({ endpoint, to, keyStatus, oldKeyVersion, newKeyVersion, newKeyCheckValues, attempts }) => [
      endpoint,
      to,
      keyStatus,
      oldKeyVersion,
      newKeyVersion,
      newKeyCheckValues,
      attempts,
    ]);
  const header = ['device', 'new owner', 'keys', 'old keys', 'new version', 'check values', 'tries'];
  return `<section><h2>Keys as the cards report them</h2>
${table(['status of the new keys', 'devices'], [...statuses])}
${table(['state of a domain', 'devices'], [...counts])}
<details><summary>The first ${matrix.length} of ${rows.length} devices; all of them: meters.csv</summary>
${table(header, matrix)}</details></section>`;
}

/** What was tried at switched devices, and how each was answered. */
export function probes({ bundle }: RehearsalResult): string {
  const counts = new Map<string, number>();
  for (const { by, attempt, sw } of bundle.meters.flatMap((meter) => meter.probes)) {
    const name = `${by}\u0000${attempt}\u0000${sw}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const rows = [...counts].map(([name, n]) => [...name.split('\u0000'), n]);
  return `<section><h2>What was tried, and refused</h2>
${table(['party', 'attempt', 'status word', 'times'], rows)}</section>`;
}

/** What was searched for planted secrets. */
export function secrets({ scans }: RehearsalResult): string {
  const rows = scans.map(({ place, kind, secrets: looked, bytes, hits, note }) => [
    place,
    kind,
    looked,
    bytes,
    hits.length,
    note,
  ]);
  const hits = scans.flatMap((scan) => scan.hits).slice(0, SHOWN);
  const list = hits.map((hit) => `<li>${escapeMarkup(hit)}</li>`).join('');
  return `<section><h2>Where secrets were looked for</h2>
<p>As bytes, hexadecimal and base64. A place with 0 bytes could not be read.</p>
${table(['place', 'kind', 'secrets', 'bytes', 'found', ''], rows)}
${hits.length === 0 ? '' : `<ul>${list}</ul>`}</section>`;
}

/** Who holds which keys. */
export function knowledge({ parties }: RehearsalResult): string {
  const rows = parties.map(({ title, roles, holds }) => [
    title,
    roles.join(', '),
    holds.join(', ') || 'nothing',
  ]);
  return `<section><h2>Who holds what</h2><p>Keys in each party's own vault. Keys that were agreed through the
controlling authority's domain appear with their owner only.</p>
${table(['party', 'roles', 'vault'], rows)}</section>`;
}

/** Devices that were not confirmed. */
export function exceptions(result: RehearsalResult): string {
  const failed = meterRows(result).filter(({ state }) => state !== 'confirmed');
  if (failed.length === 0) return '';
  const rows = failed
    .slice(0, SHOWN)
    .map(({ endpoint, state, reason, detail }) => [endpoint, state, reason, detail]);
  const more =
    failed.length > SHOWN ? `<p>${failed.length - SHOWN} more: exceptions.csv has all of them.</p>` : '';
  return `<section><h2>Exceptions and roll-backs</h2>
${table(['device', 'state', 'reason', 'detail'], rows)}${more}</section>`;
}

/** What was rehearsed, so that it can be rehearsed again. */
export function run({ run: identity, durationMs }: RehearsalSummary): string {
  const rows = Object.entries(identity).map(([name, value]) => [
    name,
    typeof value === 'object' ? JSON.stringify(value) : value,
  ]);
  return `<section><h2>This run</h2>${table(['', ''], [...rows, ['real time, ms', durationMs]])}
<p>Verify the evidence without trusting this page:
<code>sefleet report verify bundle.json --authority &lt;yours&gt;</code>.</p></section>`;
}

/** Days of the market have 92, 96 or 100 quarters of an hour. */
function daysOf({ verdict, timeZone }: RehearsalResult): string {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short' });
  const days = new Map<string, { instants: number; expected: number; received: number }>();
  for (const { at, expected, received } of verdict.intervals) {
    // An interval belongs to the day on which it begins.
    const day = format.format(at - 1);
    const sum = days.get(day) ?? { instants: 0, expected: 0, received: 0 };
    days.set(day, {
      instants: sum.instants + 1,
      expected: sum.expected + expected,
      received: sum.received + received,
    });
  }
  const rows = [...days].map(([day, { instants, expected, received }]) => [
    day,
    instants,
    expected,
    received,
  ]);
  return `<h3>Days of ${escapeMarkup(timeZone)}</h3>${table(['day', 'intervals', 'expected', 'received'], rows)}`;
}

function timeOf(at: number): string {
  return new Date(at).toISOString().slice(0, 16).replace('T', ' ');
}
