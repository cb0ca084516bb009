import type { VNode } from 'preact';
import { count, milliseconds, percent, share } from '../format.ts';
import { html } from '../html.ts';
import type { RotationState } from '../wire-types.ts';

/** How far a rotation has come: confirmed, failed, and still to do. */
export function RotationPanel({ rotation }: { rotation: RotationState | undefined }): VNode {
  if (rotation === undefined || rotation.rotationId === '') {
    return html`<p class="empty">No keys have been rotated yet.</p>`;
  }
  const done = share(rotation.confirmed, rotation.total);
  const failed = share(rotation.failed, rotation.total);
  return html`<p class="rotation-head">
      <span class="badge" data-tone=${Number(rotation.failed) > 0 ? 'bad' : rotation.done ? 'good' : 'busy'}>
        ${rotation.done ? (Number(rotation.failed) > 0 ? 'Done, with failures' : 'Done') : 'Running'}
      </span>
      <strong>${rotation.stakeholder || 'Supplier of each kind'}</strong>
      <span class="muted">${percent(done)} confirmed</span>
    </p>
    <svg
      class="bar thick"
      viewBox="0 0 100 6"
      preserveAspectRatio="none"
      role="img"
      aria-label=${`${percent(done)} confirmed, ${percent(failed)} failed`}
    >
      <rect class="rest" width="100" height="6" />
      <rect class="part" width=${100 * done} height="6" />
      <rect class="bad" x=${100 * done} width=${100 * failed} height="6" />
    </svg>
    <dl class="facts">
      <${Fact} label="Devices" value=${count(rotation.total)} />
      <${Fact} label="Attempted" value=${count(rotation.attempted)} />
      <${Fact} label="Confirmed" value=${count(rotation.confirmed)} />
      <${Fact} label="Old key refused" value=${count(rotation.oldKeyRefused)} />
      <${Fact} label="Failed" value=${count(rotation.failed)} />
      ${
        rotation.duration !== undefined &&
        Number(rotation.duration.count) > 0 &&
        html`<${Fact} label="Median" value=${milliseconds(rotation.duration.p50Ms)} />
          <${Fact} label="95th percentile" value=${milliseconds(rotation.duration.p95Ms)} />
          <${Fact} label="Slowest" value=${milliseconds(rotation.duration.maxMs)} />`
      }
    </dl>`;
}

function Fact({ label, value }: { label: string; value: string }): VNode {
  return html`<div>
    <dt>${label}</dt>
    <dd>${value}</dd>
  </div>`;
}
