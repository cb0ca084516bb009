import type { VNode } from 'preact';
import type { Series } from '../fleet-feed.ts';
import { html } from '../html.ts';

const WIDTH = 240;
const HEIGHT = 44;
const PAD = 3;

/** A line without axes beside a number; the number says what it is now, the line where it comes from. */
export function Sparkline({ series, label }: { series: Series; label: string }): VNode {
  const { times, values } = series;
  const first = times[0] ?? 0;
  const span = Math.max(1, (times.at(-1) ?? 0) - first);
  const top = Math.max(1e-9, ...values);
  const points = values.map((value, at) => {
    const x = PAD + ((WIDTH - 2 * PAD) * ((times[at] ?? 0) - first)) / span;
    const y = HEIGHT - PAD - ((HEIGHT - 2 * PAD) * value) / top;
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  const line = points.join(' ');
  const lastX = points.at(-1)?.split(',')[0] ?? PAD;
  return html`<svg
    class="sparkline"
    viewBox="0 0 ${WIDTH} ${HEIGHT}"
    preserveAspectRatio="none"
    role="img"
    aria-label=${`${label}, last ${Math.round(span)} seconds`}
  >
    <line class="baseline" x1="0" x2=${WIDTH} y1=${HEIGHT - PAD} y2=${HEIGHT - PAD} />
    ${
      points.length > 1 &&
      html`<polygon class="area" points=${`${PAD},${HEIGHT - PAD} ${line} ${lastX},${HEIGHT - PAD}`} />
        <polyline class="line" points=${line} />`
    }
  </svg>`;
}
