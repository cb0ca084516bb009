import { printable } from './printable.ts';

/** Rows under a header, columns padded; numbers to the right. */
export function formatTable(
  header: readonly string[],
  asked: readonly (readonly (string | number)[])[],
): string {
  const rows = asked.map((row) => row.map((cell) => (typeof cell === 'number' ? cell : printable(cell))));
  const widths = header.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => String(row[i] ?? '').length)),
  );
  const line = (cells: readonly (string | number)[]): string =>
    cells
      .map((cell, i) => {
        const width = widths[i] ?? 0;
        return typeof cell === 'number' ? String(cell).padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  return [line(header), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}
