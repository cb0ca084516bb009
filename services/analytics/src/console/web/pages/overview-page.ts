import type { VNode } from 'preact';
import { count, decimal, kindName, percent, share } from '../format.ts';
import { counter, levels, rates, type FleetFeed, type Series } from '../fleet-feed.ts';
import { html } from '../html.ts';
import { RotationPanel } from '../parts/rotation-panel.ts';
import { Sparkline } from '../parts/sparkline.ts';
import type { FleetState, KindState } from '../wire-types.ts';

/** Counts by state and kind, live rates, the latest rotation. */
export function OverviewPage({ feed }: { feed: FleetFeed }): VNode {
  const { state, history } = feed;
  if (state === undefined) return html`<p class="empty">Waiting for the first snapshot…</p>`;
  return html`<h1>Fleet</h1>
    <${StateTiles} state=${state} />
    <div class="columns">
      <section class="panel" aria-labelledby="kinds">
        <h2 id="kinds">By kind</h2>
        <div class="scroll"><${KindTable} kinds=${state.kinds} /></div>
      </section>
      <section class="panel" aria-labelledby="rotation">
        <h2 id="rotation">Latest key rotation</h2>
        <${RotationPanel} rotation=${state.latestRotation} />
      </section>
    </div>
    <h2>Live</h2>
    <${LiveRates} history=${history} />`;
}

type Field = 'total' | 'bootstrapped' | 'registered' | 'sleeping' | 'keysRotated';

/** Who tells: while that service does not answer, a zero is not a zero. */
const TILES: readonly (readonly [label: string, field: Field, source: string])[] = [
  ['Devices', 'total', 'provisioning'],
  ['Bootstrapped', 'bootstrapped', 'lwm2m-server'],
  ['Registered', 'registered', 'lwm2m-server'],
  ['Sleeping', 'sleeping', 'lwm2m-server'],
  ['Keys rotated', 'keysRotated', 'provisioning'],
];

function StateTiles({ state }: { state: FleetState }): VNode {
  const sum = (field: Field): number => state.kinds.reduce((total, kind) => total + Number(kind[field]), 0);
  const total = sum('total');
  const silent = (source: string): boolean => state.unavailable.some((line) => line.startsWith(`${source}:`));
  return html`<dl class="tiles">
    ${TILES.map(([label, field, source]) => {
      const unknown = silent(source) && sum(field) === 0;
      const hint = unknown ? `${source} is silent` : `${percent(share(sum(field), total))} of all`;
      return html`<div class="tile" data-field=${field}>
        <dt>${label}</dt>
        <dd>${unknown ? '–' : count(sum(field))}</dd>
        <dd class="hint">${field === 'total' && !unknown ? '\u00a0' : hint}</dd>
      </div>`;
    })}
    <div class="tile" data-field="stored">
      <dt>Records stored</dt>
      <dd>${count(state.telemetry?.stored)}</dd>
      <dd class="hint">${count(state.telemetry?.rejected)} rejected</dd>
    </div>
  </dl>`;
}

function KindTable({ kinds }: { kinds: readonly KindState[] }): VNode {
  return html`<table>
    <thead>
      <tr>
        <th scope="col">Kind</th>
        <th scope="col" class="wide"><span class="hidden">Share registered</span></th>
        <th scope="col" class="number">Registered</th>
        <th scope="col" class="number">Sleeping</th>
        <th scope="col" class="number">Rotated</th>
        <th scope="col" class="number">Devices</th>
      </tr>
    </thead>
    <tbody>
      ${kinds.map(
        (kind) =>
          html`<tr>
            <th scope="row">${kindName(kind.kind)}</th>
            <td class="wide"><${ShareBar} part=${Number(kind.registered)} whole=${Number(kind.total)} /></td>
            <td class="number">${count(kind.registered)}</td>
            <td class="number">${count(kind.sleeping)}</td>
            <td class="number">${count(kind.keysRotated)}</td>
            <td class="number">${count(kind.total)}</td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}

function ShareBar({ part, whole }: { part: number; whole: number }): VNode {
  const filled = share(part, whole);
  return html`<svg
    class="bar"
    viewBox="0 0 100 6"
    preserveAspectRatio="none"
    role="img"
    aria-label=${percent(filled)}
  >
    <rect class="rest" width="100" height="6" />
    <rect class="part" width=${100 * filled} height="6" />
  </svg>`;
}

interface Rate {
  readonly label: string;
  readonly unit: string;
  readonly series: Series;
}

function LiveRates({ history }: { history: readonly FleetState[] }): VNode {
  const registered = (state: FleetState): number =>
    state.kinds.reduce((total, kind) => total + Number(kind.registered), 0);
  const shown: readonly Rate[] = [
    {
      label: 'Records stored',
      unit: '/s',
      series: rates(history, (state) => Number(state.telemetry?.stored ?? 0)),
    },
    {
      label: 'Messages received',
      unit: '/s',
      series: rates(history, (state) => Number(state.telemetry?.received ?? 0)),
    },
    { label: 'Registered devices', unit: '', series: levels(history, registered) },
    {
      label: 'MQTT clients',
      unit: '',
      series: levels(history, (state) => counter(state, 'analytics.mqtt.clients')),
    },
    {
      label: 'DTLS handshakes',
      unit: '/s',
      series: rates(history, (state) => counter(state, 'lwm2m.dtls.handshakes')),
    },
    {
      label: 'Waiting on disk',
      unit: ' KB',
      series: levels(history, (state) => counter(state, 'analytics.queue.bytes') / 1000),
    },
  ];
  return html`<div class="rates">
    ${shown.map(
      ({ label, unit, series }) =>
        html`<figure class="panel rate">
          <figcaption>${label}</figcaption>
          <p class="figure">
            ${decimal(Math.round(10 * (series.values.at(-1) ?? 0)) / 10)}<small>${unit}</small>
          </p>
          <${Sparkline} series=${series} label=${label} />
        </figure>`,
    )}
  </div>`;
}
