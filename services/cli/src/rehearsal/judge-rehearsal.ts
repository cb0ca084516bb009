import type { switching } from '@sefleet/api';
import { toHex } from '@sefleet/bytes';
import { checkRehearsal, type MeterEvidence, type MeterTruth, type RehearsalRecord } from '@sefleet/evidence';
import type { GrpcClient } from '@sefleet/service';
import { courseOf } from '../report/switch-course.ts';
import { collectBundle, mergeFaults, type Office } from '../switching/collect-bundle.ts';
import type { Canary } from './canary-scan.ts';
import { scanRehearsal, type ScannedProcess } from './rehearsal-scan.ts';
import { plainReadings, recordsOfThoseGone } from './plain-readings.ts';
import type { RehearsalPlan } from './rehearsal-plan.ts';
import type { RehearsalResult } from './rehearsal-result.ts';
import type { RehearsalLayout } from './rehearsal-layout.ts';
import { billMeter } from './supplier-billing.ts';
import { readSupplierInboxes, type SupplierInboxes } from './supplier-inboxes.ts';

export type GroundClient = GrpcClient<typeof switching.RehearsalGroundService>;

/** A switch that has come to its end. */
export interface EndedSwitch {
  readonly switchId: string;
  readonly cutOverAt: number;
  readonly endedAt: number;
}

const LONG_CALL = { deadlineMs: 1_800_000 };
const MINUTE_MS = 60_000;
/** Where those who have the meters keep their cards. */
const CARD_FOLDERS: ReadonlySet<string> = new Set(['device-sim', 'rehearsal-ground']);

/** Collects what a rehearsal left behind, at the parties and at the meters, and has it judged. */
export async function judgeRehearsal(
  plan: RehearsalPlan,
  layout: RehearsalLayout,
  ended: readonly EndedSwitch[],
  office: Office,
  ground: GroundClient,
  processes: () => readonly ScannedProcess[],
): Promise<
  Omit<RehearsalResult, 'phasesMs' | 'kills' | 'load' | 'ground' | 'timeZone' | 'startedAt' | 'cutOverAt'>
> {
  const { parties: knowledge } = await office.listParties({}, LONG_CALL);
  const { bundle, details, played } = await collectBundle(
    office,
    ended.map(({ switchId }) => switchId),
  );
  const disclosed = await disclose(office, ended);
  const { truths, cards, faults } = await collectTruths(ground);
  const left = leftBy(bundle.meters);
  const scans = scanRehearsal({
    folder: layout.dataFolder,
    // Of a real fleet they are chips.
    cardFolders: CARD_FOLDERS,
    // As late as possible: one that was killed meanwhile is another process now.
    processes: processes(),
    canaries: [...disclosed.canaries, ...plainReadings([...truths.values()], disclosed.recordKeys)],
    cards,
    left,
    gone: recordsOfThoseGone([...truths.values()], left),
  });
  const received = await readSupplierInboxes(layout);
  const record: RehearsalRecord = {
    bundle,
    intervalMs: plan.intervalMinutes * MINUTE_MS,
    truths,
    billing: [...truths.values()].flatMap(({ endpoint, records, capacityWh }) =>
      billMeter({ endpoint, capacityWh }, receivedOf(endpoint, received) ?? records, disclosed.recordKeys),
    ),
    received,
    recordKeys: disclosed.recordKeys,
    receiptKeys: disclosed.receiptKeys,
    canaryHits: scans.flatMap(({ hits }) => hits),
    faults: mergeFaults(faults, played),
  };
  return {
    verdict: checkRehearsal(record),
    bundle,
    parties: knowledge.map(({ name, title, roles, holds }) => ({ name, title, roles, holds })),
    truths,
    details,
    courses: await coursesOf(office, ended, bundle.meters),
    scans,
    endedAt: ended.at(-1)?.endedAt ?? 0,
  };
}

/** What the suppliers have of a meter, each from its own server; they bill nothing else. */
function receivedOf(
  endpoint: string,
  received: SupplierInboxes | undefined,
): readonly Uint8Array[] | undefined {
  return received && [...received.values()].flatMap((inbox) => inbox.get(endpoint) ?? []);
}

/** How each switch went as a whole. */
function coursesOf(office: Office, ended: readonly EndedSwitch[], meters: readonly MeterEvidence[]) {
  return Promise.all(
    ended.map(async ({ switchId }) => courseOf(await office.getSwitch({ switchId }, LONG_CALL), meters)),
  );
}

/** What the suppliers of all switches hand to the auditor. */
async function disclose(office: Office, ended: readonly EndedSwitch[]) {
  const recordKeys = new Map<string, Uint8Array>();
  const receiptKeys = new Map<string, Uint8Array>();
  const canaries: Canary[] = [];
  for (const { switchId } of ended) {
    const disclosed = await office.disclose({ switchId }, LONG_CALL);
    for (const { supplier, keyVersion, recordMasterKey } of disclosed.suppliers)
      recordKeys.set(`${supplier}:${keyVersion}`, recordMasterKey);
    for (const [endpoint, key] of Object.entries(disclosed.receiptKeys)) receiptKeys.set(endpoint, key);
    canaries.push(...disclosed.canaries);
  }
  return { recordKeys, receiptKeys, canaries };
}

/** Cards that are searched for what former parties left on them. */
const CARDS_SEARCHED = 5;

async function collectTruths(ground: GroundClient) {
  const truths = new Map<string, MeterTruth>();
  const cards = new Map<string, Uint8Array>();
  const faults = new Map<string, readonly string[]>();
  for await (const { meters } of ground.collectMeters({ images: CARDS_SEARCHED })) {
    for (const meter of meters) {
      if (meter.cardImage.length > 0) cards.set(meter.endpoint, meter.cardImage);
      faults.set(meter.endpoint, meter.faults);
      truths.set(meter.endpoint, {
        endpoint: meter.endpoint,
        records: meter.records,
        firstAt: Number(meter.firstAt),
        lastAt: Number(meter.lastAt),
        firstRegisterWh: Number(meter.firstRegisterWh),
        lastRegisterWh: Number(meter.lastRegisterWh),
        capacityWh: Number(meter.registerCapacityWh) || undefined,
        cutOvers: meter.cutOvers.map(({ instant, takenAt, registerWh }) => {
          return { instant: Number(instant), takenAt: Number(takenAt), registerWh: Number(registerWh) };
        }),
        exchanges: meter.exchanges.map(toHex),
      });
    }
  }
  return { truths, cards, faults };
}

/** Who must have left nothing on a meter's card: whoever was on it or was to be, and is not. */
function leftBy(meters: readonly MeterEvidence[]): ReadonlyMap<string, ReadonlySet<string>> {
  const left = new Map<string, ReadonlySet<string>>();
  for (const meter of meters) {
    const seen = new Set(left.get(meter.endpoint)).add(meter.from).add(meter.to);
    left.set(meter.endpoint, seen.difference(new Set(staying(meter))));
  }
  return left;
}

/** Who has a device after its last switch. */
function staying({ verb, state, from, to }: MeterEvidence): readonly string[] {
  // What came of it nobody knows for sure: nothing is said about who is gone.
  if (state === 'exception') return [from, to];
  const isDone = state === 'confirmed';
  if (verb === 'add') return isDone ? [from, to] : [from];
  if (verb === 'remove') return isDone ? [to] : [from, to];
  return [isDone ? to : from];
}
