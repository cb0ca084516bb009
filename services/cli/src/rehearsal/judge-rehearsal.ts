import type { switching } from '@sefleet/api';
import { toHex } from '@sefleet/bytes';
import {
  checkRehearsal,
  merkleRoot,
  type EvidenceBundle,
  type MeterEvidence,
  type MeterTruth,
  type RehearsalRecord,
} from '@sefleet/evidence';
import { readTlsFiles, type GrpcClient } from '@sefleet/service';
import { scanForCanaries } from './canary-scan.ts';
import type { RehearsalPlan } from './rehearsal-plan.ts';
import type { RehearsalResult } from './rehearsal-result.ts';
import { rehearsalPki, type RehearsalLayout } from './rehearsal-services.ts';
import { billMeter } from './supplier-billing.ts';

export type Office = GrpcClient<typeof switching.SwitchingService>;
export type GroundClient = GrpcClient<typeof switching.RehearsalGroundService>;

/** What is to be judged: a switch that has come to its end. */
export interface EndedSwitch {
  readonly switchId: string;
  readonly cutOverAt: number;
  readonly startedAt: number;
  readonly endedAt: number;
}

const LONG_CALL = { deadlineMs: 1_800_000 };
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const DEADLINE_MS = 24 * HOUR_MS;

/** Collects what a rehearsal left behind, at the parties and at the meters, and has it judged. */
export async function judgeRehearsal(
  plan: RehearsalPlan,
  layout: RehearsalLayout,
  { switchId, cutOverAt, startedAt, endedAt }: EndedSwitch,
  office: Office,
  ground: GroundClient,
): Promise<Omit<RehearsalResult, 'phasesMs'>> {
  const { evidence, details } = await collectEvidence(office, switchId);
  const { parties } = await office.listParties({}, LONG_CALL);
  const disclosed = await office.disclose({ switchId }, LONG_CALL);
  const truths = await collectTruths(ground);
  const recordKeys = new Map(
    disclosed.suppliers.map((s) => [`${s.supplier}:${s.keyVersion}`, s.recordMasterKey]),
  );
  const bundle: EvidenceBundle = {
    format: 'sefleet-evidence-bundle-1',
    switchId,
    authority: readTlsFiles(rehearsalPki(layout), 'cli').authority.toString(),
    parties: parties.map(({ name, roles, certificate }) => ({
      name,
      roles,
      certificate: toHex(certificate),
    })),
    meters: evidence,
    root: merkleRoot(evidence),
  };
  const record: RehearsalRecord = {
    bundle,
    from: plan.from,
    to: plan.to,
    cutOverAt,
    intervalMs: plan.intervalMinutes * MINUTE_MS,
    deadlineMs: DEADLINE_MS,
    truths,
    billing: [...truths.values()].flatMap(({ endpoint, records }) =>
      billMeter(endpoint, records, recordKeys),
    ),
    recordKeys,
    receiptKeys: new Map(Object.entries(disclosed.receiptKeys)),
    canaryHits: scanForCanaries([layout.dataFolder], disclosed.canaries),
  };
  return {
    verdict: checkRehearsal(record),
    bundle,
    parties: parties.map(({ name, title, roles, holds }) => ({ name, title, roles, holds })),
    truths,
    details,
    cutOverAt,
    startedAt,
    endedAt,
  };
}

async function collectEvidence(office: Office, switchId: string) {
  const evidence: MeterEvidence[] = [];
  const details = new Map<string, string>();
  for await (const { meters } of office.listMeterSwitches({ switchId })) {
    for (const meter of meters) {
      const parsed: MeterEvidence = JSON.parse(meter.evidenceJson);
      evidence.push(parsed);
      details.set(meter.endpoint, meter.detail);
    }
  }
  return { evidence, details };
}

async function collectTruths(ground: GroundClient): Promise<ReadonlyMap<string, MeterTruth>> {
  const truths = new Map<string, MeterTruth>();
  for await (const { meters } of ground.collectMeters({})) {
    for (const meter of meters) {
      truths.set(meter.endpoint, {
        endpoint: meter.endpoint,
        records: meter.records,
        firstAt: Number(meter.firstAt),
        lastAt: Number(meter.lastAt),
        firstRegisterWh: Number(meter.firstRegisterWh),
        lastRegisterWh: Number(meter.lastRegisterWh),
        cutOverReadAt: Number(meter.cutOverReadAt),
        cutOverRegisterWh: Number(meter.cutOverRegisterWh),
        exchanges: meter.exchanges.map(toHex),
      });
    }
  }
  return truths;
}
