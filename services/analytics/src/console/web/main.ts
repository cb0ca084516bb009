import { render, type VNode } from 'preact';
import { time } from './format.ts';
import { useFleetFeed, type FleetFeed } from './fleet-feed.ts';
import { html } from './html.ts';
import { DevicePage } from './pages/device-page.ts';
import { DevicesPage } from './pages/devices-page.ts';
import { KeysPage } from './pages/keys-page.ts';
import { OverviewPage } from './pages/overview-page.ts';
import { useRoute, type Route } from './router.ts';
import { ThemeSwitch } from './theme.ts';

function App(): VNode {
  const route = useRoute();
  const feed = useFleetFeed();
  return html`<header class="top">
      <a class="brand" href="#/"><img src="/app/icon.svg" alt="" width="26" height="26" /> sefleet</a>
      <nav aria-label="Pages">
        <${Tab} href="#/" current=${route.page === 'overview'}>Overview<//>
        <${Tab} href="#/devices" current=${route.page === 'devices' || route.page === 'device'}>Devices<//>
        <${Tab} href="#/keys" current=${route.page === 'keys'}>Keys<//>
      </nav>
      <span class="spacer"></span>
      <${AsOf} feed=${feed} />
      <${ThemeSwitch} />
    </header>
    <${Notices} feed=${feed} />
    <main id="main" tabindex="-1"><${Page} route=${route} feed=${feed} /></main>`;
}

function Page({ route, feed }: { route: Route; feed: FleetFeed }): VNode {
  switch (route.page) {
    case 'devices':
      return html`<${DevicesPage} />`;
    case 'device':
      return html`<${DevicePage} key=${route.endpoint} endpoint=${route.endpoint} />`;
    case 'keys':
      return html`<${KeysPage} feed=${feed} />`;
    default:
      return html`<${OverviewPage} feed=${feed} />`;
  }
}

function Tab({ href, current, children }: { href: string; current: boolean; children?: unknown }): VNode {
  return html`<a href=${href} aria-current=${current ? 'page' : undefined}>${children}</a>`;
}

/** When the numbers were true, and whether they still come. */
function AsOf({ feed }: { feed: FleetFeed }): VNode {
  const live = feed.lost === undefined && feed.state !== undefined;
  const text = feed.state === undefined ? 'connecting' : `as of ${time(feed.state.asOf)}`;
  return html`<span class="as-of" data-live=${live}
    ><span class="dot" aria-hidden="true"></span>${text}</span
  >`;
}

function Notices({ feed }: { feed: FleetFeed }): VNode {
  const missing = feed.state?.unavailable ?? [];
  return html`<div role="status" aria-live="polite">
    ${
      feed.lost !== undefined &&
      html`<p class="notice bad">No answer from the analytics service; trying again. (${feed.lost})</p>`
    }
    ${
      missing.length > 0 &&
      html`<p class="notice">
        <strong>${missing.length === 1 ? 'A service does not answer:' : 'Services do not answer:'}</strong>
        ${' '}${missing.map((line) => line.split(':')[0]).join(', ')}. Their numbers are missing here.
      </p>`
    }
  </div>`;
}

const root = document.getElementById('app');
if (root !== null) render(html`<${App} />`, root);
