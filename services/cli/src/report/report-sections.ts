import type { RehearsalResult } from '../rehearsal/rehearsal-result.ts';
import { stackedColumns } from './charts.ts';
import { escapeMarkup, table } from './markup.ts';
import { meterRows } from './meter-rows.ts';
import type { RehearsalSummary } from './rehearsal-summary.ts';
import { STORIES } from './stories.ts';
import { countText, several, spanText } from './wording.ts';

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
        ['device', 'register', 'source', 'off by'],
        worst
          .slice(0, 10)
          .map(({ endpoint, registerWh, source, offsetMs }) => [
            endpoint,
            registerWh === '' ? '-' : countText(registerWh),
            source,
            spanText(Number(offsetMs)),
          ]),
      )
}</section>`;
}

/** Whose energy it is: by register and by bill. */
export function energy({ run: { story }, revenueAtRisk }: RehearsalSummary, result: RehearsalResult): string {
  const { unit, devices } = STORIES[story];
  const { accounts } = result.verdict;
  const billed = new Map<string, number>();
  for (const { billedWh } of accounts)
    for (const [supplier, wh] of Object.entries(billedWh))
      billed.set(supplier, (billed.get(supplier) ?? 0) + wh);
  const sum = (pick: (account: (typeof accounts)[number]) => number): number =>
    accounts.reduce((total, account) => total + pick(account), 0);
  const rows: (readonly [string, number])[] = [
    [`growth of the registers of ${several(accounts.length, devices)}`, sum(({ growthWh }) => growthWh)],
    ...[...billed].map(([supplier, wh]) => [`billed by ${supplier}`, wh] as const),
    ['billed by nobody', sum(({ gapWh }) => gapWh)],
    ['billed twice', sum(({ overlapWh }) => overlapWh)],
    ['residual: growth less bills, without sign', sum(({ residualWh }) => Math.abs(residualWh))],
  ];
  const risk =
    revenueAtRisk === null
      ? ''
      : `<p>Revenue at risk: ${countText(revenueAtRisk.eur)} EUR, an estimate. It is what nobody billed, what was
billed twice, and the ${countText(revenueAtRisk.notSwitchedWh)} Wh after the instant of meters that ended
as an exception, at ${revenueAtRisk.eurPerKWh} EUR a kWh.</p>`;
  return `<section><h2>Energy</h2>${table(
    ['over the whole rehearsal', unit],
    rows.map(([name, wh]) => [name, wh]),
  )}
<p>Device by device in meters.csv.</p>${risk}</section>`;
}

/** What was rehearsed, so that it can be rehearsed again. */
export function run({ run: identity, durationMs, meters }: RehearsalSummary): string {
  const { faults, cutOverAt, startedAt, endedAt, ...rest } = identity;
  const names: Readonly<Record<string, string>> = {
    planHash: 'hash over all that was asked for',
    compress: 'virtual seconds a real second',
    evidenceRoot: 'root of the evidence',
  };
  const shares = Object.entries(faults).map(([fault, share]) => `${fault} ${share} %`);
  const rows = [
    ['instant', cutOverAt],
    ['begin, by the rehearsal\u2019s clock', startedAt],
    ['end, by the rehearsal\u2019s clock', endedAt],
    ['devices', meters],
    ...Object.entries(rest).map(([name, value]) => [names[name] ?? name, String(value)]),
    ['faults asked for', shares.join(', ') || 'none'],
    ['real time', spanText(durationMs)],
  ];
  return `<section><h2>This run</h2>${table(['', ''], rows)}
<p>Verify the evidence without trusting this page:
<code>sefleet report verify bundle.json --authority &lt;yours&gt;</code>.</p>
<p>Beside this page: summary.json with its schema, junit.xml, meters.csv, exceptions.csv, intervals.csv,
misbillings.csv and bundle.json, the evidence.</p></section>`;
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
