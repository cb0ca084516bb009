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

/** A curve over time, from 0 to the largest value. */
export interface Curve {
  readonly label: string;
  readonly points: readonly (readonly [at: number, value: number])[];
}

const CURVE_TONES = ['tone', 'warn', 'good', 'bad'] as const;

/** Curves over one axis of time, each to its own largest value, which its legend tells. */
export function curves(list: readonly Curve[], axis: string, label: string): string {
  const shown = list.filter(({ points }) => points.length > 1);
  if (shown.length === 0) return '<p>Too short to draw.</p>';
  const last = Math.max(...shown.map(({ points }) => points.at(-1)?.[0] ?? 0), 1);
  const lines = shown.map(({ points }, i) => {
    const top = points.reduce((max, [, value]) => Math.max(max, value), 1);
    const path = points
      .map(([at, value]) => {
        const x = ((at / last) * WIDTH).toFixed(1);
        return `${x},${(CHART_HEIGHT - (value / top) * (CHART_HEIGHT - 4)).toFixed(1)}`;
      })
      .join(' ');
    return `<polyline points="${path}" class="curve ${CURVE_TONES[i % CURVE_TONES.length]}"/>`;
  });
  const legend = shown.map(({ label: name, points }, i) => {
    const top = points.reduce((max, [, value]) => Math.max(max, value), 0);
    return `<span class="key ${CURVE_TONES[i % CURVE_TONES.length]}">${escapeMarkup(`${name}: up to ${top}`)}</span>`;
  });
  const end = `<text x="${WIDTH}" y="${CHART_HEIGHT + 16}" text-anchor="end">${escapeMarkup(axis)}</text>`;
  return `<svg viewBox="0 0 ${WIDTH} ${CHART_HEIGHT + 20}" role="img" aria-label="${escapeMarkup(label)}">${lines.join('')}<text x="0" y="${CHART_HEIGHT + 16}">0</text>${end}</svg><p class="legend">${legend.join(' ')}</p>`;
}

/** A bar an instant, divided by kind; bars stand side by side in the order given. */
export function stackedColumns(
  columns: readonly { readonly title: string; readonly parts: readonly number[] }[],
  names: readonly string[],
  label: string,
): string {
  if (columns.length === 0) return '<p>No readings.</p>';
  const sumOf = (parts: readonly number[]): number => parts.reduce((sum, n) => sum + n, 0);
  const top = columns.reduce((max, { parts }) => Math.max(max, sumOf(parts)), 1);
  const step = WIDTH / columns.length;
  const bars = columns.flatMap(({ title, parts }, i) => {
    let y = CHART_HEIGHT;
    return parts.map((part, kind) => {
      const height = (part / top) * CHART_HEIGHT;
      y -= height;
      const tone = CURVE_TONES[kind % CURVE_TONES.length];
      const name = `${title}, ${names[kind] ?? ''}: ${part}`;
      return `<rect x="${(i * step).toFixed(1)}" y="${y.toFixed(1)}" width="${Math.max(step - 1, 0.5).toFixed(1)}" height="${height.toFixed(1)}" class="${tone}"><title>${escapeMarkup(name)}</title></rect>`;
    });
  });
  const legend = names.map(
    (name, i) => `<span class="key ${CURVE_TONES[i % CURVE_TONES.length]}">${escapeMarkup(name)}</span>`,
  );
  const first = `<text x="0" y="${CHART_HEIGHT + 16}">${escapeMarkup(columns[0]?.title ?? '')}</text>`;
  const last = `<text x="${WIDTH}" y="${CHART_HEIGHT + 16}" text-anchor="end">${escapeMarkup(columns.at(-1)?.title ?? '')}</text>`;
  return `<svg viewBox="0 0 ${WIDTH} ${CHART_HEIGHT + 20}" role="img" aria-label="${escapeMarkup(label)}">${bars.join('')}${first}${last}</svg><p class="legend">${legend.join(' ')}</p>`;
}
