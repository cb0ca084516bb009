import { deriveRecordKey, decodeSealedRecord, openTelemetryRecord } from '@sefleet/cose';
import { toHex } from '@sefleet/bytes';
import {
  bundleRoot,
  type BillingLine,
  type EvidenceBundle,
  type MeterEvidence,
  type RehearsalRecord,
  type SwitchEvidence,
} from '@sefleet/evidence';
import { createRootAuthority } from '@sefleet/pki';
import { REGISTER_CAPACITY_WH } from '../rehearsal-ground/register-model.ts';
import { playedOn } from '../switch/faults.ts';
import { PartyRegistry } from '../switch/party-registry.ts';
import { SwitchAudit } from '../switch/switch-audit.ts';
import { SwitchClosing } from '../switch/switch-closing.ts';
import type { SwitchOffice } from '../switch/switch-office.ts';
import type { createSwitchBench } from './switch-bench.ts';

type SwitchBench = Awaited<ReturnType<typeof createSwitchBench>>;

const DAY_MS = 86_400_000;

/** A switch that has come to its end, and the office that knows of it. */
export interface EndedSwitch {
  readonly office: SwitchOffice;
  readonly switchId: string;
}

/** Everything that the independent checker wants to see of a rehearsal in one process. */
export function recordRehearsal(
  bench: Pick<SwitchBench, 'bench' | 'ground'>,
  office: SwitchOffice,
  ...switchIds: readonly string[]
): Promise<RehearsalRecord> {
  return recordSwitches(
    bench,
    switchIds.map((switchId) => ({ office, switchId })),
  );
}

/** As {@link recordRehearsal}, of several switches on one ground. */
export async function recordSwitches(
  { bench, ground }: Pick<SwitchBench, 'bench' | 'ground'>,
  ended: readonly EndedSwitch[],
): Promise<RehearsalRecord> {
  const now = Date.now();
  const authority = await createRootAuthority('test', new Date(now - DAY_MS), new Date(now + DAY_MS));
  const registry = new PartyRegistry(bench.custody, authority, bench.runtime.clock);
  const audit = new SwitchAudit(bench.custody, bench.store);
  const closing = new SwitchClosing(bench.custody, bench.store, registry, authority.certificatePem);
  const recordKeys = new Map<string, Uint8Array>();
  const receiptKeys = new Map<string, Uint8Array>();
  const switches: SwitchEvidence[] = [];
  const evidence: MeterEvidence[] = [];
  const played = new Map<string, readonly string[]>();
  let signed: Pick<EvidenceBundle, 'authority' | 'parties'> = { authority: '', parties: [] };
  for (const { office, switchId } of ended) {
    const meters = await office.meters(switchId);
    const disclosed = await audit.disclose(switchId, meters);
    for (const { supplier, keyVersion, recordMasterKey } of disclosed.suppliers)
      recordKeys.set(`${supplier}:${keyVersion}`, recordMasterKey);
    for (const [endpoint, key] of disclosed.receiptKeys) receiptKeys.set(endpoint, key);
    const order = await office.ended(switchId);
    const closed = await closing.close(order, meters);
    for (const { endpoint } of meters)
      played.set(endpoint, [...(played.get(endpoint) ?? []), ...playedOn(order, endpoint)]);
    switches.push(closed.evidence);
    evidence.push(...meters.map((meter) => meter.evidence));
    signed = { authority: closed.authority, parties: closed.parties };
  }
  const format = 'sefleet-evidence-bundle-2';
  const bundle: EvidenceBundle = {
    format,
    ...signed,
    switches,
    meters: evidence,
    root: bundleRoot(switches),
  };
  const truths = new Map(
    [...ground.collect()].map((truth) => [
      truth.endpoint,
      { ...truth, exchanges: truth.exchanges.map(toHex) },
    ]),
  );
  return {
    bundle,
    intervalMs: 15 * 60_000,
    truths,
    billing: [...truths.values()].flatMap(({ endpoint, records }) => bill(endpoint, records, recordKeys)),
    recordKeys,
    receiptKeys,
    canaryHits: [],
    faults: new Map(
      [...truths].map(([endpoint, { faults }]) => [endpoint, [...faults, ...(played.get(endpoint) ?? [])]]),
    ),
  };
}

/** What each supplier bills: the growth of the register between two of its readings. */
function bill(
  endpoint: string,
  records: readonly Uint8Array[],
  keys: ReadonlyMap<string, Uint8Array>,
): BillingLine[] {
  const last = new Map<string, readonly [at: number, wh: number, sequence: number]>();
  const lines: BillingLine[] = [];
  const ordered = records.map(decodeSealedRecord).toSorted((a, b) => a.sequence - b.sequence);
  for (const sealed of ordered) {
    const key = deriveRecordKey(
      keys.get(`${sealed.stakeholder}:${sealed.keyVersion}`) ?? new Uint8Array(),
      endpoint,
    );
    const { timestampMs, values } = openTelemetryRecord(sealed, key, endpoint);
    const wh = values[0]?.[1] ?? Number.NaN;
    const before = last.get(sealed.stakeholder);
    // Numbers that do not follow each other are of two contracts.
    if (before?.[2] === sealed.sequence - 1) {
      lines.push({
        supplier: sealed.stakeholder,
        endpoint,
        from: before[0],
        until: timestampMs,
        energyWh: wh < before[1] ? wh - before[1] + REGISTER_CAPACITY_WH : wh - before[1],
      });
    }
    last.set(sealed.stakeholder, [timestampMs, wh, sealed.sequence]);
  }
  return lines;
}
