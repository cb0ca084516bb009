import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { count, kindName, KIND_NAMES, moment, stateName, time } from '../format.ts';
import { html } from '../html.ts';
import { listDevices, type DeviceQuery } from '../rpc.ts';
import { deviceAddress } from '../router.ts';
import type { DevicePage, DeviceSummary } from '../wire-types.ts';

const PAGE_SIZES = [25, 50, 100, 500];
const REFRESH_MS = 5000;
const TYPING_MS = 250;
const STATES = ['DEVICE_STATE_REGISTERED', 'DEVICE_STATE_SLEEPING'];

interface Filter {
  readonly search: string;
  readonly kind: string;
  readonly state: string;
  readonly pageSize: number;
}

interface Shown {
  readonly page: DevicePage;
  readonly at: string;
}

/** The device list; the server filters and pages, so that it stays quick with any number of devices. */
export function DevicesPage(): VNode {
  const [filter, setFilter] = useState<Filter>({ search: '', kind: '', state: '', pageSize: 50 });
  // The tokens that led to this page: the last one is its own.
  const [tokens, setTokens] = useState<readonly string[]>(['']);
  const { shown, failed } = useDevices({ ...filter, pageToken: tokens.at(-1) ?? '' });
  const change = (part: Partial<Filter>): void => {
    setFilter((before) => ({ ...before, ...part }));
    setTokens(['']);
  };
  const first = (tokens.length - 1) * filter.pageSize;
  return html`<h1>Devices</h1>
    <${FilterBar} filter=${filter} change=${change} />
    ${failed !== undefined && html`<p class="notice bad" role="alert">${failed}</p>`}
    ${
      shown === undefined
        ? html`<p class="empty">Loading…</p>`
        : html`<${DeviceTable} devices=${shown.page.devices} />`
    }
    ${
      shown !== undefined &&
      html`<div class="pager">
        <span class="muted" role="status">
          ${
            shown.page.devices.length === 0
              ? 'None'
              : `${count(first + 1)}–${count(first + shown.page.devices.length)}`
          }
          ${' '}of ${count(shown.page.total)}, as of ${time(shown.at)}
        </span>
        <span class="spacer"></span>
        <button type="button" disabled=${tokens.length === 1} onClick=${() => setTokens(tokens.slice(0, -1))}>
          Previous
        </button>
        <button
          type="button"
          disabled=${shown.page.nextPageToken === ''}
          onClick=${() => setTokens([...tokens, shown.page.nextPageToken])}
        >
          Next
        </button>
      </div>`
    }`;
}

function useDevices(query: DeviceQuery): { shown: Shown | undefined; failed: string | undefined } {
  const [shown, setShown] = useState<Shown | undefined>(undefined);
  const [failed, setFailed] = useState<string | undefined>(undefined);
  const { search, kind, state, pageSize, pageToken } = query;
  useEffect(() => {
    const abort = new AbortController();
    const load = (): void => {
      listDevices({ search, kind, state, pageSize, pageToken }, abort.signal).then(
        (page) => {
          setShown({ page, at: new Date().toISOString() });
          setFailed(undefined);
        },
        (error: unknown) => {
          if (!abort.signal.aborted) setFailed(error instanceof Error ? error.message : String(error));
        },
      );
    };
    const typed = setTimeout(load, TYPING_MS);
    const again = setInterval(load, REFRESH_MS);
    return () => {
      clearTimeout(typed);
      clearInterval(again);
      abort.abort();
    };
  }, [search, kind, state, pageSize, pageToken]);
  return { shown, failed };
}

function FilterBar({ filter, change }: { filter: Filter; change: (part: Partial<Filter>) => void }): VNode {
  return html`<form class="filters" role="search" onSubmit=${(event: Event) => event.preventDefault()}>
    <label class="grow">
      <span>Endpoint contains</span>
      <input
        type="search"
        name="search"
        value=${filter.search}
        placeholder="for example meter-0001"
        onInput=${(event: Event) => change({ search: textOf(event) })}
      />
    </label>
    <label>
      <span>Kind</span>
      <select name="kind" value=${filter.kind} onChange=${(event: Event) => change({ kind: textOf(event) })}>
        <option value="">All kinds</option>
        ${KIND_NAMES.map(([value, name]) => html`<option value=${value}>${name}</option>`)}
      </select>
    </label>
    <label>
      <span>State</span>
      <select
        name="state"
        value=${filter.state}
        onChange=${(event: Event) => change({ state: textOf(event) })}
      >
        <option value="">All states</option>
        ${STATES.map((state) => html`<option value=${state}>${stateName(state)}</option>`)}
      </select>
    </label>
    <label>
      <span>Per page</span>
      <select
        value=${filter.pageSize}
        onChange=${(event: Event) => change({ pageSize: Number(textOf(event)) })}
      >
        ${PAGE_SIZES.map((size) => html`<option value=${size}>${size}</option>`)}
      </select>
    </label>
  </form>`;
}

function DeviceTable({ devices }: { devices: readonly DeviceSummary[] }): VNode {
  if (devices.length === 0) return html`<p class="empty panel">No device fits.</p>`;
  return html`<div class="panel scroll">
    <table class="rows">
      <caption class="hidden">
        Devices in the order of their endpoint names
      </caption>
      <thead>
        <tr>
          <th scope="col">Endpoint</th>
          <th scope="col">Kind</th>
          <th scope="col">State</th>
          <th scope="col">Registered</th>
          <th scope="col">Last update</th>
          <th scope="col">Last reading</th>
        </tr>
      </thead>
      <tbody>
        ${devices.map(
          (device) =>
            html`<tr key=${device.endpoint}>
              <th scope="row"><a href=${deviceAddress(device.endpoint)}>${device.endpoint}</a></th>
              <td>${kindName(device.kind)}</td>
              <td><${StateBadge} state=${device.state} /></td>
              <td class="time">${moment(device.registeredAt)}</td>
              <td class="time">${moment(device.updatedAt)}</td>
              <td class="time">${moment(device.lastReadingAt)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

export function StateBadge({ state }: { state: string }): VNode {
  const tone =
    state === 'DEVICE_STATE_REGISTERED' ? 'good' : state === 'DEVICE_STATE_SLEEPING' ? 'calm' : 'none';
  return html`<span class="badge" data-tone=${tone}>${stateName(state)}</span>`;
}

function textOf({ target }: Event): string {
  return target instanceof HTMLInputElement || target instanceof HTMLSelectElement ? target.value : '';
}
