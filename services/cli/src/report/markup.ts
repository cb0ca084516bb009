import { countText } from './wording.ts';

/** XML 1.0 §2.2 has no way to write these. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const NOT_IN_XML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;

/** Text that is safe between the tags and quotes of HTML and XML. */
export function escapeMarkup(text: string | number): string {
  return String(text)
    .toWellFormed()
    .replace(NOT_IN_XML, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

/** A table of text. */
export function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const [first = []] = rows;
  const numeric = first.map(
    (_, i) => rows.every((row) => isFigure(row[i])) && rows.some((row) => row[i] !== '-'),
  );
  const cells = (row: readonly (string | number)[], tag: 'td' | 'th'): string =>
    row
      .map(
        (cell, i) =>
          `<${tag}${numeric[i] === true ? ' class="number"' : ''}>${escapeMarkup(typeof cell === 'number' ? countText(cell) : cell)}</${tag}>`,
      )
      .join('');
  const body = rows.map((row) => `<tr>${cells(row, 'td')}</tr>`).join('\n');
  return `<div class="scroll"><table><thead><tr>${cells(header, 'th')}</tr></thead><tbody>\n${body}\n</tbody></table></div>`;
}

/** A number, a span of time, or the stroke that stands for none. */
function isFigure(cell: string | number | undefined): boolean {
  return (
    typeof cell === 'number' || /^(?:-|-?[\d.,]+(?: (?:ms|s|min|h|%)(?: \d+ (?:s|min))?)?)$/.test(cell ?? '')
  );
}
