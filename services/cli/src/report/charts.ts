import { escapeMarkup } from './markup.ts';

/** A part of a whole. */
export interface Part {
  readonly label: string;
  readonly value: number;
  /** Name of a colour in the page's style. */
  readonly tone: 'good' | 'warn' | 'bad';
}

const WIDTH = 720;
const BAR_HEIGHT = 34;
const CHART_HEIGHT = 140;
const BUCKETS = 40;

/** One bar, divided as the parts are to each other. */
export function stackedBar(parts: readonly Part[]): string {
  const total = Math.max(
    1,
    parts.reduce((sum, { value }) => sum + value, 0),
  );
  let x = 0;
  const pieces = parts
    .filter(({ value }) => value > 0)
    .map(({ label, value, tone }) => {
      const width = (value / total) * WIDTH;
      const title = `${label}: ${value}`;
      const piece = `<rect x="${x.toFixed(1)}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}" class="${tone}"><title>${escapeMarkup(title)}</title></rect>`;
      x += width;
      return piece;
    });
  return `<svg viewBox="0 0 ${WIDTH} ${BAR_HEIGHT}" role="img" aria-label="meters by outcome">${pieces.join('')}</svg>`;
}

/** How often values fall between 0 and the largest. */
export function histogram(values: readonly number[], unit: string, label: string): string {
  if (values.length === 0) return '<p>No values.</p>';
  const max = Math.max(...values, 1);
  const counts = Array.from({ length: BUCKETS }, () => 0);
  for (const value of values) {
    const bucket = Math.min(BUCKETS - 1, Math.max(0, Math.floor((value / max) * BUCKETS)));
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  }
  const top = Math.max(...counts, 1);
  const step = WIDTH / BUCKETS;
  const bars = counts.map((count, i) => {
    const height = (count / top) * CHART_HEIGHT;
    const from = ((i * max) / BUCKETS).toFixed(1);
    const y = (CHART_HEIGHT - height).toFixed(1);
    return `<rect x="${(i * step + 1).toFixed(1)}" y="${y}" width="${(step - 2).toFixed(1)}" height="${height.toFixed(1)}" class="tone"><title>from ${from} ${unit}: ${count}</title></rect>`;
  });
  const axis = `<text x="0" y="${CHART_HEIGHT + 16}">0</text><text x="${WIDTH}" y="${CHART_HEIGHT + 16}" text-anchor="end">${max.toFixed(1)} ${unit}</text>`;
  return `<svg viewBox="0 0 ${WIDTH} ${CHART_HEIGHT + 20}" role="img" aria-label="${escapeMarkup(label)}">${bars.join('')}${axis}</svg>`;
}
