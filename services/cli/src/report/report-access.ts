import type { RehearsalResult } from '../rehearsal/rehearsal-result.ts';
import { escapeMarkup, table } from './markup.ts';
import { meterRows } from './meter-rows.ts';
import type { RehearsalSummary } from './rehearsal-summary.ts';
import { countText, spanText } from './wording.ts';

const SHOWN = 50;
const STATES: Readonly<Record<string, string>> = {
  fresh: 'new domain, just made',
  'after-agreement': 'new domain, after the keys were agreed',
  'after-rotation': "new domain, with its owner's own keys",
  'after-removal': 'domain that was removed',
};
const ATTEMPTS: Readonly<Record<string, string>> = {
  'old-domain-before-instant': "its own keys on the old supplier's domain, before the instant",
  'session-from-before': 'going on in a session that it had opened before its domain was removed',
  'select-old-domain': 'selecting its former domain',
  'old-key-cryptogram': "its former keys on the new supplier's domain",
  'personalise-new-domain': "writing keys into the new supplier's domain",
};

/** When whose access ended and began, and what everybody tried who must not come in. */
export function access({ timingsMs }: RehearsalSummary, result: RehearsalResult): string {
  const counts = new Map<string, number>();
  for (const { by, attempt, sw } of result.bundle.meters.flatMap((meter) => meter.probes)) {
    const name = [by, ATTEMPTS[attempt] ?? attempt, sw === '9000' ? 'LET IN' : 'refused', sw].join('\u0000');
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const rows = [...counts].map(([name, n]) => [...name.split('\u0000'), n]);
  const gaps = meterRows(result).flatMap(({ neitherHadReadingsMs: ms }) => (ms === '' ? [] : [ms]));
  const both = timingsMs.bothHadAccess;
  return `<section><h2>Access at the instant</h2>
<p>From the last reading for the old supplier to the first one for the new:
${gaps.length === 0 ? 'no meter changed' : `${spanText(Math.max(...gaps))} at the most`}.
Both had a way in: ${both === null ? 'never' : `${spanText(both.p50)} in the middle, ${spanText(both.max)} at the most`}.</p>
<h3>What was tried, and how it was answered</h3>
${table(['party', 'attempt', 'answer', 'status word', 'times'], rows)}</section>`;
}

/** Meters that were taken back, and how. */
export function rollback({ timingsMs: { takeBack } }: RehearsalSummary, result: RehearsalResult): string {
  const back = result.bundle.meters.filter(({ timings }) => timings.some(({ step }) => step === 'take-back'));
  if (back.length === 0 || takeBack === null) return '';
  const clean = back.filter(({ keyStates }) => {
    const last = keyStates.at(-1);
    return last === undefined || (last.when === 'after-removal' && last.keys.length === 0);
  });
  const accounts = new Map(result.verdict.accounts.map((account) => [account.endpoint, account]));
  const settled = back.filter(({ endpoint }) => accounts.get(endpoint)?.residualWh === 0);
  return `<section><h2>Taken back</h2>
<p>On request, or because something failed before the instant: the old supplier noticed nothing.</p>
${table(
  ['', 'devices'],
  [
    ['taken back', back.length],
    ["nothing of the new supplier's is left on the card", clean.length],
    ['readings add up with the old supplier', settled.length],
  ],
)}
<p>It took ${spanText(takeBack.p50)} in the middle, ${spanText(takeBack.max)} at the most, by the rehearsal's
clock.</p></section>`;
}

/** Keys of old and new domains, as cards report them. */
export function keys(result: RehearsalResult): string {
  const counts = new Map<string, number>();
  for (const { keyStates } of result.bundle.meters) {
    for (const { when, keys: held } of keyStates) {
      const versions = [...new Set(held.map((key) => key.split('/')[1]))].join(', ');
      const what = held.length === 0 ? 'no key' : `${held.length} keys of version ${versions}`;
      const name = `${STATES[when] ?? when}\u0000${what}`;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }
  const rows = meterRows(result);
  const statuses = new Map<string, number>();
  for (const { keyStatus } of rows) statuses.set(keyStatus, (statuses.get(keyStatus) ?? 0) + 1);
  const matrix = rows
    .slice(0, SHOWN)
    .map(
      ({ endpoint, keyStatus, oldKeyVersion, newKeyVersion, newKeyCheckValues, replayFloor, attempts }) => [
        endpoint,
        keyStatus,
        oldKeyVersion,
        newKeyVersion || '-',
        newKeyCheckValues || '-',
        replayFloor === '' ? '-' : replayFloor,
        attempts,
      ],
    );
  const header = ['device', 'keys', 'old keys', 'version', 'check values', 'replay floor', 'tries'];
  return `<section><h2>Keys as the cards report them</h2>
${table(['status of the new keys', 'devices'], [...statuses])}
${table(
  ['domain', 'it holds', 'reports'],
  [...counts].map(([name, n]) => [...name.split('\u0000'), n]),
)}
<details><summary>Key by key: the first ${matrix.length} of ${countText(rows.length)} devices;
all of them are in meters.csv</summary>
${table(header, matrix)}</details></section>`;
}

/** What was searched for planted secrets. */
export function secrets({ scans }: RehearsalResult): string {
  const rows = scans.map(({ place, kind, secrets: looked, bytes, hits, note }) => [
    place,
    kind,
    looked,
    bytes === 0 ? '-' : bytes,
    hits.length,
    note,
  ]);
  const hits = scans.flatMap((scan) => scan.hits).slice(0, SHOWN);
  const list = hits.map((hit) => `<li>${escapeMarkup(hit)}</li>`).join('');
  return `<section><h2>Where secrets were looked for</h2>
<p>Keys and records of the suppliers, as bytes, hexadecimal and base64, wherever they must not be.
A stroke: that place was not searched, or could not be.</p>
${hits.length === 0 ? '' : `<ul class="broken">${list}</ul>`}
${table(['place', 'kind', 'secrets', 'bytes searched', 'found', ''], rows)}</section>`;
}

/** Who could open or derive what, by the vault of each. */
export function knowledge({ run: { from, to } }: RehearsalSummary, { parties }: RehearsalResult): string {
  const secretsOf = (owner: string): readonly (readonly [string, string, string])[] => [
    [`readings of ${owner}`, owner, 'record'],
    [`domain keys of ${owner}`, owner, 'domain'],
    [`account keys of ${owner}`, owner, 'psk'],
  ];
  const holdsAny = (holds: readonly string[], purpose: string): boolean =>
    holds.some((held) => held.startsWith(`${purpose} `));
  const involved = parties.filter(
    ({ name, holds }) => name === from || name === to || holds.some((held) => !held.startsWith('signing ')),
  );
  const rows = [...secretsOf(from), ...secretsOf(to)].map(([label, owner, purpose]) => [
    label,
    ...involved.map(({ name, holds }) => (name === owner && holdsAny(holds, purpose) ? 'yes' : 'no')),
  ]);
  const vaults = involved.map(({ title, roles, holds }) => [title, roles.join(', '), holds.join(', ')]);
  const others = parties.length - involved.length;
  return `<section><h2>Who could derive what</h2>
<p>By what is in each party's own vault. Keys that were agreed through the controlling authority's domain are
with their owner alone. ${others} parties with nothing but a signing key are left out.</p>
${table(['secret', ...involved.map(({ title }) => title)], rows)}
<details><summary>Vault by vault</summary>${table(['party', 'roles', 'vault'], vaults)}</details></section>`;
}
