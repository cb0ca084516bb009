import { createHash } from 'node:crypto';
import type { MeterEvidence } from '../evidence.ts';
import { invariantOf, type Invariant } from './invariant.ts';
import type { RehearsalRecord } from './rehearsal.ts';
import { openSealedReading } from './sealed-reading.ts';
import { rulesOf } from './verb-rules.ts';

/**
 * What holds where suppliers have LwM2M servers of their own: records reach the one that they were sealed
 * for and no other, and a meter is with both only as long as it takes.
 */
export function serverInvariants(rehearsal: RehearsalRecord): readonly Invariant[] {
  const { received, bundle } = rehearsal;
  if (received === undefined) return [];
  const confirmed = bundle.meters.filter(({ state }) => state === 'confirmed');
  const others = bundle.meters.filter(({ state }) => state === 'rolled-back');
  return [
    invariantOf(
      "every record reached the server of its supplier once, and no other's",
      deliveryProblems(rehearsal, received),
      'all records delivered',
    ),
    invariantOf(
      'meters were with both suppliers until the new one had a record, and then with the new one alone',
      confirmed.flatMap(accountProblems),
      `${confirmed.length} accounts moved`,
    ),
    invariantOf(
      'meters that were taken back never had an account with the new supplier',
      others.flatMap(({ endpoint, accounts }) => (accounts.length === 0 ? [] : [`${endpoint} had one`])),
      `${others.length} meters`,
    ),
  ];
}

function deliveryProblems(
  { truths, recordKeys }: RehearsalRecord,
  received: NonNullable<RehearsalRecord['received']>,
): string[] {
  const problems: string[] = [];
  for (const { endpoint, records } of truths.values()) {
    const expected = new Map<string, string>();
    for (const record of records) {
      const reading = openSealedReading(record, endpoint, (supplier, version) =>
        recordKeys.get(`${supplier}:${version}`),
      );
      // One that does not open is found elsewhere; here it belongs to nobody.
      expected.set(digestOf(record), reading?.supplier ?? '');
    }
    for (const [supplier, inbox] of received) {
      for (const record of inbox.get(endpoint) ?? []) {
        const digest = digestOf(record);
        const owner = expected.get(digest);
        expected.delete(digest);
        if (owner === undefined)
          problems.push(`${endpoint}: ${supplier} has a record twice, or a foreign one`);
        else if (owner !== supplier) problems.push(`${endpoint}: ${supplier} has a record of ${owner}`);
      }
    }
    if (expected.size > 0) problems.push(`${endpoint}: ${expected.size} records reached nobody`);
  }
  return problems;
}

function accountProblems(meter: MeterEvidence): string[] {
  const { endpoint, accounts, from, to } = meter;
  const { comes, goes } = rulesOf(meter);
  const old = accounts.find(({ server }) => server === from);
  const fresh = accounts.find(({ server }) => server === to);
  if (comes && (fresh === undefined || fresh.registration === ''))
    return [`${endpoint}: no registration with ${to}`];
  if (goes && (old === undefined || old.goneAt === 0)) return [`${endpoint}: still registered with ${from}`];
  const problems: string[] = [];
  if (goes && (old?.refusal === '' || /^\d\.\d\d$/.test(old?.refusal ?? '')))
    problems.push(`${endpoint}: ${from} still reaches it`);
  const stays = comes ? fresh : undefined;
  if (stays !== undefined && stays.goneAt !== 0) problems.push(`${endpoint}: gone from ${to}`);
  if (comes && goes && (old?.goneAt ?? 0) < (fresh?.registeredAt ?? 0))
    problems.push(`${endpoint}: was with nobody for a while`);
  return problems;
}

function digestOf(record: Uint8Array): string {
  return createHash('sha256').update(record).digest('hex');
}
