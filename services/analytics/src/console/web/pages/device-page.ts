import type { VNode } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { count, decimal, kindName, metricName, moment, time } from '../format.ts';
import { html } from '../html.ts';
import { objectName } from '../object-names.ts';
import { Chart, type ChartSeries } from '../parts/chart.ts';
import { getDevice, queryTelemetry } from '../rpc.ts';
import type { DeviceDetail, Reading, SecurityDomain } from '../wire-types.ts';
import { StateBadge } from './devices-page.ts';

const REFRESH_MS = 3000;
const MAX_POINTS = 1500;
const SPANS: readonly (readonly [minutes: number, label: string])[] = [
  [5, '5 minutes'],
  [60, '1 hour'],
  [1440, '1 day'],
  [43_200, '30 days'],
];

interface Shown {
  readonly device: DeviceDetail;
  readonly readings: readonly Reading[];
  readonly at: string;
}

/** One device: what it registered, its Security Domains, its last readings. */
export function DevicePage({ endpoint }: { endpoint: string }): VNode {
  const [minutes, setMinutes] = useState(60);
  const { shown, failed } = useDevice(endpoint, minutes);
  return html`<p class="crumbs"><a href="#/devices">Devices</a> /</p>
    <h1 class="endpoint">${endpoint}</h1>
    ${failed !== undefined && html`<p class="notice bad" role="alert">${failed}</p>`}
    ${shown === undefined && failed === undefined && html`<p class="empty">Loading…</p>`}
    ${
      shown !== undefined &&
      html`<${Summary} shown=${shown} />
        <div class="columns">
          <${Domains} domains=${shown.device.securityDomains} />
          <${Objects} objects=${shown.device.objects} />
        </div>
        <${Readings} shown=${shown} minutes=${minutes} setMinutes=${setMinutes} />`
    }`;
}

function useDevice(
  endpoint: string,
  minutes: number,
): { shown: Shown | undefined; failed: string | undefined } {
  const [shown, setShown] = useState<Shown | undefined>(undefined);
  const [failed, setFailed] = useState<string | undefined>(undefined);
  useEffect(() => {
    const abort = new AbortController();
    const load = async (): Promise<void> => {
      try {
        const from = new Date(Date.now() - minutes * 60_000);
        const [device, readings] = await Promise.all([
          getDevice(endpoint, abort.signal),
          queryTelemetry(endpoint, from, MAX_POINTS, abort.signal).catch(() => []),
        ]);
        setShown({ device, readings, at: new Date().toISOString() });
        setFailed(undefined);
      } catch (error) {
        if (!abort.signal.aborted) setFailed(error instanceof Error ? error.message : String(error));
      }
    };
    void load();
    const again = setInterval(() => void load(), REFRESH_MS);
    return () => {
      clearInterval(again);
      abort.abort();
    };
  }, [endpoint, minutes]);
  return { shown, failed };
}

function Summary({ shown: { device, at } }: { shown: Shown }): VNode {
  const summary = device.device;
  return html`<dl class="facts line">
    <div>
      <dt>Kind</dt>
      <dd>${kindName(summary?.kind ?? '')}</dd>
    </div>
    <div>
      <dt>State</dt>
      <dd><${StateBadge} state=${summary?.state ?? ''} /></dd>
    </div>
    <div>
      <dt>Registered</dt>
      <dd>${moment(summary?.registeredAt)}</dd>
    </div>
    <div>
      <dt>Last update</dt>
      <dd>${moment(summary?.updatedAt)}</dd>
    </div>
    <div>
      <dt>Last reading</dt>
      <dd>${moment(summary?.lastReadingAt)}</dd>
    </div>
    <div>
      <dt>As of</dt>
      <dd>${time(at)}</dd>
    </div>
  </dl>`;
}

function Domains({ domains }: { domains: readonly SecurityDomain[] }): VNode {
  return html`<section class="panel" aria-labelledby="domains">
    <h2 id="domains">Security Domains</h2>
    ${
      domains.length === 0
        ? html`<p class="empty">Provisioning tells of none.</p>`
        : html`<div class="scroll">
            <table>
              <thead>
                <tr>
                  <th scope="col">Stakeholder</th>
                  <th scope="col">Life cycle</th>
                  <th scope="col">Key versions</th>
                  <th scope="col">Rotated</th>
                </tr>
              </thead>
              <tbody>
                ${domains.map(
                  (domain) =>
                    html`<tr key=${domain.aid}>
                      <th scope="row">${domain.stakeholder}<br /><code class="muted">${domain.aid}</code></th>
                      <td>${domain.lifeCycle}</td>
                      <td>${domain.keySets.map((set) => html`<${KeyVersion} set=${set} />`)}</td>
                      <td class="time">${moment(domain.rotatedAt)}</td>
                    </tr>`,
                )}
              </tbody>
            </table>
          </div>`
    }
  </section>`;
}

function KeyVersion({ set }: { set: SecurityDomain['keySets'][number] }): VNode {
  const checks = set.checkValues.join(', ');
  return html`<span class="chip" title=${`Key check values: ${checks}`}>
    ${set.keyVersion}${checks !== '' && html` <code>${checks}</code>`}
  </span>`;
}

function Objects({ objects }: { objects: readonly string[] }): VNode {
  // An object with instances stands beside them in a registration; the instances say it all.
  const shown = objects.filter((path) => !objects.some((other) => other.startsWith(`${path}/`)));
  return html`<section class="panel" aria-labelledby="objects">
    <h2 id="objects">Objects</h2>
    ${
      shown.length === 0
        ? html`<p class="empty">Not registered.</p>`
        : html`<ul class="objects">
            ${shown.map((path) => html`<li key=${path}><code>${path}</code> ${objectName(path)}</li>`)}
          </ul>`
    }
  </section>`;
}

function Readings({
  shown,
  minutes,
  setMinutes,
}: {
  shown: Shown;
  minutes: number;
  setMinutes: (minutes: number) => void;
}): VNode {
  const series = useMemo(() => seriesOf(shown.readings), [shown.readings]);
  const units = new Map(shown.device.lastReadings.map(({ metric, unit }) => [metric, unit]));
  return html`<div class="section-head">
      <h2>Readings</h2>
      <span class="spacer"></span>
      <div class="segments" role="group" aria-label="Span of time">
        ${SPANS.map(
          ([value, label]) =>
            html`<button type="button" aria-pressed=${value === minutes} onClick=${() => setMinutes(value)}>
              ${label}
            </button>`,
        )}
      </div>
    </div>
    ${shown.device.lastReadings.length === 0 && html`<p class="empty panel">No reading has come yet.</p>`}
    <div class="charts">
      ${shown.device.lastReadings.map((last) => {
        const line = series.get(last.metric);
        return html`<figure class="panel" key=${last.metric}>
          <figcaption>
            <span>${metricName(last.metric)}</span>
            <strong>${decimal(last.value)} <small>${units.get(last.metric)}</small></strong>
            <span class="muted">record ${count(last.sequence)}, ${moment(last.at)}, ${last.stakeholder}</span>
          </figcaption>
          ${
            line === undefined
              ? html`<p class="empty">None in this span of time.</p>`
              : html`<${Chart} series=${line} />`
          }
        </figure>`;
      })}
    </div>`;
}

function seriesOf(readings: readonly Reading[]): ReadonlyMap<string, ChartSeries> {
  const byMetric = new Map<string, { label: string; unit: string; times: number[]; values: number[] }>();
  for (const { metric, unit, value, at } of readings) {
    const series = byMetric.get(metric) ?? { label: metricName(metric), unit, times: [], values: [] };
    byMetric.set(metric, series);
    series.times.push(Date.parse(at ?? '') / 1000);
    series.values.push(value);
  }
  return byMetric;
}
