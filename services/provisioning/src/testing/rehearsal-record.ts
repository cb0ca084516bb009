import { deriveRecordKey, decodeSealedRecord, openTelemetryRecord } from '@sefleet/cose';
import { toHex } from '@sefleet/bytes';
import { merkleRoot, type BillingLine, type EvidenceBundle, type RehearsalRecord } from '@sefleet/evidence';
import { createRootAuthority } from '@sefleet/pki';
import { PARTIES } from '../domain/party.ts';
import { PartyRegistry } from '../switch/party-registry.ts';
import { SwitchAudit } from '../switch/switch-audit.ts';
import type { SwitchOffice } from '../switch/switch-office.ts';
import { CUT, type createSwitchBench } from './switch-bench.ts';

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
  const bundle: EvidenceBundle = {
    format: 'sefleet-evidence-bundle-1',
    switchId,
    authority: authority.certificatePem,
    parties: await Promise.all(
      PARTIES.map(async ({ id, roles }) => ({
        name: id,
        roles,
        certificate: toHex(await registry.certificate(id)),
      })),
    ),
    meters: evidence,
    root: merkleRoot(evidence),
  };
  const recordKeys = new Map(suppliers.map((s) => [`${s.supplier}:${s.keyVersion}`, s.recordMasterKey]));
  const truths = new Map(
    [...ground.collect()].map((truth) => [
      truth.endpoint,
      { ...truth, exchanges: truth.exchanges.map(toHex) },
    ]),
  );
  const [first] = evidence;
  return {
    bundle,
    from: first?.from ?? '',
    to: first?.to ?? '',
    cutOverAt: CUT,
    intervalMs: 15 * 60_000,
    deadlineMs: DAY_MS,
    truths,
    billing: [...truths.values()].flatMap(({ endpoint, records }) => bill(endpoint, records, recordKeys)),
    recordKeys,
    receiptKeys,
    canaryHits: [],
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
  for (const bytes of records) {
    const sealed = decodeSealedRecord(bytes);
    const key = deriveRecordKey(
      keys.get(`${sealed.stakeholder}:${sealed.keyVersion}`) ?? new Uint8Array(),
      endpoint,
    );
    const { timestampMs, values } = openTelemetryRecord(sealed, key, endpoint);
    const wh = values[0]?.[1] ?? Number.NaN;
    const before = last.get(sealed.stakeholder);
    if (before !== undefined) {
      lines.push({
        supplier: sealed.stakeholder,
        endpoint,
        from: before[0],
        until: timestampMs,
        energyWh: wh - before[1],
      });
    }
    last.set(sealed.stakeholder, [timestampMs, wh]);
  }
  return lines;
}
