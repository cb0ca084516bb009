import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RehearsalResult } from '../rehearsal/rehearsal-result.ts';
import { htmlReport } from './html-report.ts';
import { escapeMarkup } from './markup.ts';
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
  write('exceptions.csv', exceptionsCsv(result));
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

/** Meters that were not confirmed (RFC 4180). */
function exceptionsCsv({ bundle, details }: RehearsalResult): string {
  const rows = bundle.meters
    .filter(({ state }) => state !== 'confirmed')
    .map(({ endpoint, state, reason }) => [endpoint, state, reason, details.get(endpoint) ?? '']);
  const line = (cells: readonly string[]): string =>
    cells.map((cell) => `"${cell.replaceAll('"', '""')}"`).join(',');
  return `${[['endpoint', 'state', 'reason', 'detail'], ...rows].map(line).join('\r\n')}\r\n`;
}
