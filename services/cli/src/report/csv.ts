type Cell = string | number;

/** Lines of cells as RFC 4180 writes them: every cell quoted, lines ended by CR LF. */
export function csv(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return `${[header, ...rows].map(line).join('\r\n')}\r\n`;
}

/** A cell that a spreadsheet would take for a formula begins with an apostrophe instead. */
function line(cells: readonly Cell[]): string {
  return cells.map((cell) => `"${harmless(cell).replaceAll('"', '""')}"`).join(',');
}

function harmless(cell: Cell): string {
  return typeof cell === 'string' && /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : String(cell);
}
