import uPlot from 'uplot';
import type { VNode } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { decimal } from '../format.ts';
import { html } from '../html.ts';

export interface ChartSeries {
  readonly label: string;
  readonly unit: string;
  readonly times: readonly number[];
  readonly values: readonly number[];
}

const HEIGHT = 180;
const TIME_AXIS_HEIGHT = 30;
const DIGIT_WIDTH = 7;
const LABEL_GAP = 14;

/** One metric over time. The table beside it says the same to whoever cannot see it. */
export function Chart({ series }: { series: ChartSeries }): VNode {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  useEffect(() => {
    if (host.current === null) return undefined;
    const element = host.current;
    const draw = (): void => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsOf(series, element.clientWidth), dataOf(series), element);
    };
    draw();
    const resized = new ResizeObserver(() =>
      plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }),
    );
    resized.observe(element);
    // Colours are read when the chart is drawn: draw it anew when they change.
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', draw);
    addEventListener('themechange', draw);
    return () => {
      resized.disconnect();
      dark.removeEventListener('change', draw);
      removeEventListener('themechange', draw);
      plot.current?.destroy();
    };
  }, [series.label]);
  useEffect(() => plot.current?.setData(dataOf(series)), [series]);
  return html`<div class="chart" ref=${host} role="img" aria-label=${`${series.label} over time`}></div>`;
}

function dataOf({ times, values }: ChartSeries): uPlot.AlignedData {
  return [[...times], [...values]];
}

function optionsOf({ label, unit }: ChartSeries, width: number): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour('--muted'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
    font: '12px system-ui, sans-serif',
  };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { points: { size: 6 } },
    series: [
      {},
      {
        label,
        stroke: colour('--accent'),
        width: 2,
        points: { show: false },
        value: (_plot, value) => `${value} ${unit}`,
      },
    ],
    axes: [
      { ...axis, size: TIME_AXIS_HEIGHT, values: timeLabels },
      { ...axis, size: widthOfLabels, values: (_plot, ticks) => ticks.map(decimal) },
    ],
  };
}

/** As wide as the longest label: a register has eight digits, a voltage three. */
function widthOfLabels(_plot: uPlot, labels: string[] | null): number {
  return LABEL_GAP + DIGIT_WIDTH * Math.max(3, ...(labels ?? []).map(({ length }) => length));
}

const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const DAY = new Intl.DateTimeFormat('en-GB', {
  day: '2-digit',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
});
const DAY_SECONDS = 86_400;

function timeLabels(_plot: uPlot, ticks: number[]): string[] {
  const long = (ticks.at(-1) ?? 0) - (ticks[0] ?? 0) > DAY_SECONDS;
  return ticks.map((tick) => (long ? DAY : CLOCK).format(new Date(tick * 1000)));
}
