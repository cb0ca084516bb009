import type { VNode } from 'preact';
import { count, kindName, percent, share, time } from '../format.ts';
import type { FleetFeed } from '../fleet-feed.ts';
import { html } from '../html.ts';
import { RotationPanel } from '../parts/rotation-panel.ts';
import { deviceAddress } from '../router.ts';
import type { RotationState } from '../wire-types.ts';

/** Rotation progress, by kind and device by device where it failed. */
export function KeysPage({ feed }: { feed: FleetFeed }): VNode {
  const { state } = feed;
  if (state === undefined) return html`<p class="empty">Waiting for the first snapshot…</p>`;
  const failures = state.latestRotation?.failures ?? [];
  return html`<h1>Keys</h1>
    <div class="columns">
      <section class="panel" aria-labelledby="rotation">
        <h2 id="rotation">Latest rotation</h2>
        <${RotationPanel} rotation=${state.latestRotation} />
      </section>
      <section class="panel" aria-labelledby="kinds">
        <h2 id="kinds">Devices with rotated keys</h2>
        <table>
          <thead>
            <tr>
              <th scope="col">Kind</th>
              <th scope="col" class="number">Rotated</th>
              <th scope="col" class="number">Devices</th>
              <th scope="col" class="number">Share</th>
            </tr>
          </thead>
          <tbody>
            ${state.kinds.map(
              (kind) =>
                html`<tr>
                  <th scope="row">${kindName(kind.kind)}</th>
                  <td class="number">${count(kind.keysRotated)}</td>
                  <td class="number">${count(kind.total)}</td>
                  <td class="number">${percent(share(kind.keysRotated, kind.total))}</td>
                </tr>`,
            )}
          </tbody>
        </table>
        <p class="muted">As of ${time(state.asOf)}</p>
      </section>
    </div>
    ${failures.length > 0 && html`<${Failures} failures=${failures} />`}`;
}

function Failures({ failures }: { failures: RotationState['failures'] }): VNode {
  return html`<section class="panel" aria-labelledby="failures">
    <h2 id="failures">First failures</h2>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Device</th>
            <th scope="col">Code</th>
            <th scope="col">Reason</th>
          </tr>
        </thead>
        <tbody>
          ${failures.map(
            ({ endpoint, code, message }) =>
              html`<tr>
                <th scope="row"><a href=${deviceAddress(endpoint)}>${endpoint}</a></th>
                <td><code>${code}</code></td>
                <td>${message}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </section>`;
}
