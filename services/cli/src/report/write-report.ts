import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RehearsalResult } from '../rehearsal/rehearsal-result.ts';
import { csv } from './csv.ts';
import { htmlReport } from './html-report.ts';
import { escapeMarkup } from './markup.ts';
import { meterRows, type MeterRow } from './meter-rows.ts';
import type { RehearsalSummary } from './rehearsal-summary.ts';

const SCHEMA = fileURLToPath(new URL('summary.schema.json', import.meta.url));

/** Writes the report: for people, for programs, for CI, for spreadsheets, and the evidence itself. */
export function writeReport(folder: string, summary: RehearsalSummary, result: RehearsalResult): void {
  mkdirSync(folder, { recursive: true });
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  write('summary.json', `${JSON.stringify(summary, null, 2)}\n`);
  copyFileSync(SCHEMA, join(folder, 'summary.schema.json'));
  write('index.html', htmlReport(summary, result));
  write('junit.xml', junit(summary));
  const rows = meterRows(result);
  write('meters.csv', metersCsv(rows));
  write('exceptions.csv', exceptionsCsv(rows));
  write('intervals.csv', intervalsCsv(result));
  write('misbillings.csv', misbillingsCsv(result));
  write('bundle.json', JSON.stringify(result.bundle));
}

/** One test case an invariant, as CI servers read them. */
function junit({ invariants, durationMs }: RehearsalSummary): string {
  const cases = invariants.map(({ name, holds, detail }) => {
    const failure = holds ? '' : `<failure message="${escapeMarkup(detail)}"/>`;
    return `  <testcase classname="rehearsal" name="${escapeMarkup(name)}">${failure}</testcase>`;
  });
  const failures = invariants.filter(({ holds }) => !holds).length;
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="supplier switch" tests="${invariants.length}" failures="${failures}"
  time="${durationMs / 1000}">
${cases.join('\n')}
</testsuite>
`;
}

/** Everything about every meter. */
function metersCsv(rows: readonly MeterRow[]): string {
  const [first] = rows;
  if (first === undefined) return csv(['endpoint'], []);
  return csv(
    Object.keys(first),
    rows.map((row) => Object.values(row)),
  );
}

function exceptionsCsv(rows: readonly MeterRow[]): string {
  return csv(
    ['endpoint', 'state', 'reason', 'detail'],
    rows
      .filter(({ reason }) => reason !== '')
      .map(({ endpoint, state, reason, detail }) => [endpoint, state, reason, detail]),
  );
}

/** Interval by interval: who had to have a reading, who has one, and what was billed wrongly. */
function intervalsCsv({ verdict }: RehearsalResult): string {
  return csv(
    ['end', 'expected', 'received', 'by supplier'],
    verdict.intervals.map(({ at, expected, received, bySupplier }) => [
      new Date(at).toISOString(),
      expected,
      received,
      Object.entries(bySupplier)
        .map(([supplier, n]) => `${supplier} ${n}`)
        .join('; '),
    ]),
  );
}

function misbillingsCsv({ verdict }: RehearsalResult): string {
  return csv(
    ['endpoint', 'from', 'until', 'energyWh', 'times billed'],
    verdict.misbillings.map(({ endpoint, from, until, energyWh, times }) => [
      endpoint,
      new Date(from).toISOString(),
      new Date(until).toISOString(),
      energyWh,
      times,
    ]),
  );
}
