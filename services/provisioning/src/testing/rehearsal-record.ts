import { deriveRecordKey, decodeSealedRecord, openTelemetryRecord } from '@sefleet/cose';
import { toHex } from '@sefleet/bytes';
import { bundleRoot, type BillingLine, type EvidenceBundle, type RehearsalRecord } from '@sefleet/evidence';
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

/** Everything that the independent checker wants to see of a rehearsal in one process. */
export async function recordRehearsal(
  { bench, ground }: SwitchBench,
  office: SwitchOffice,
  switchId: string,
): Promise<RehearsalRecord> {
  const now = Date.now();
  const authority = await createRootAuthority('test', new Date(now - DAY_MS), new Date(now + DAY_MS));
  const registry = new PartyRegistry(bench.custody, authority, bench.runtime.clock);
  const meters = await office.meters(switchId);
  const { suppliers, receiptKeys } = await new SwitchAudit(bench.custody, bench.store).disclose(
    switchId,
    meters,
  );
  const evidence = meters.map((meter) => meter.evidence);
  const closing = new SwitchClosing(bench.custody, bench.store, registry, authority.certificatePem);
  const order = await office.ended(switchId);
  const closed = await closing.close(order, meters);
  const bundle: EvidenceBundle = {
    format: 'sefleet-evidence-bundle-2',
    authority: closed.authority,
    parties: closed.parties,
    switches: [closed.evidence],
    meters: evidence,
    root: bundleRoot([closed.evidence]),
  };
  const recordKeys = new Map(suppliers.map((s) => [`${s.supplier}:${s.keyVersion}`, s.recordMasterKey]));
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
      [...truths].map(([endpoint, { faults }]) => [endpoint, [...faults, ...playedOn(order, endpoint)]]),
    ),
  };
}

/** What each supplier bills: the growth of the register between two of its readings. */
function bill(
  endpoint: string,
  records: readonly Uint8Array[],
  keys: ReadonlyMap<string, Uint8Array>,
): BillingLine[] {
  const last = new Map<string, readonly [number, number]>();
  const lines: BillingLine[] = [];
  let current = '';
  for (const bytes of records) {
    const sealed = decodeSealedRecord(bytes);
    const key = deriveRecordKey(
      keys.get(`${sealed.stakeholder}:${sealed.keyVersion}`) ?? new Uint8Array(),
      endpoint,
    );
    const { timestampMs, values } = openTelemetryRecord(sealed, key, endpoint);
    const wh = values[0]?.[1] ?? Number.NaN;
    if (sealed.stakeholder !== current) last.clear();
    current = sealed.stakeholder;
    const before = last.get(sealed.stakeholder);
    if (before !== undefined) {
      lines.push({
        supplier: sealed.stakeholder,
        endpoint,
        from: before[0],
        until: timestampMs,
        energyWh: wh < before[1] ? wh - before[1] + REGISTER_CAPACITY_WH : wh - before[1],
      });
    }
    last.set(sealed.stakeholder, [timestampMs, wh]);
  }
  return lines;
}
