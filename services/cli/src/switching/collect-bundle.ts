import type { switching } from '@sefleet/api';
import { toHex } from '@sefleet/bytes';
import { bundleRoot, type EvidenceBundle, type MeterEvidence, type SwitchEvidence } from '@sefleet/evidence';
import type { GrpcClient } from '@sefleet/service';

export type Office = GrpcClient<typeof switching.SwitchingService>;

/** Something that is told of each meter. */
export type ByMeter<T> = ReadonlyMap<string, T>;

/** The evidence of switches, and what is told of their meters beside it. */
export interface CollectedBundle {
  readonly bundle: EvidenceBundle;
  readonly details: ByMeter<string>;
  /** Faults that were played on our side of the network. */
  readonly played: ByMeter<readonly string[]>;
}

const LONG_CALL = { deadlineMs: 1_800_000 };

/** The evidence of switches that are over, as their parties signed it. */
export async function collectBundle(office: Office, switchIds: readonly string[]): Promise<CollectedBundle> {
  const switches: SwitchEvidence[] = [];
  const meters: MeterEvidence[] = [];
  const details = new Map<string, string>();
  const played: ByMeter<readonly string[]>[] = [];
  let signed: Pick<EvidenceBundle, 'authority' | 'parties'> = { authority: '', parties: [] };
  for (const switchId of switchIds) {
    const faults = new Map<string, readonly string[]>();
    for await (const page of office.listMeterSwitches({ switchId }, LONG_CALL)) {
      for (const meter of page.meters) {
        const evidence: MeterEvidence = JSON.parse(meter.evidenceJson);
        meters.push(evidence);
        details.set(meter.endpoint, meter.detail);
        faults.set(meter.endpoint, meter.faults);
      }
    }
    played.push(faults);
    const { switchJson, authority, parties } = await office.closeSwitch({ switchId }, LONG_CALL);
    const closed: SwitchEvidence = JSON.parse(switchJson);
    switches.push(closed);
    signed = {
      authority,
      parties: parties.map(({ name, roles, certificate }) => {
        return { name, roles, certificate: toHex(certificate) };
      }),
    };
  }
  const format = 'sefleet-evidence-bundle-2';
  const bundle: EvidenceBundle = { format, ...signed, switches, meters, root: bundleRoot(switches) };
  return { bundle, details, played: mergeFaults(...played) };
}

/** All that was played on each meter, whoever played it and in whichever switch. */
export function mergeFaults(...parts: readonly ByMeter<readonly string[]>[]): ByMeter<readonly string[]> {
  const all = new Map<string, Set<string>>();
  for (const part of parts) {
    for (const [endpoint, faults] of part)
      all.set(endpoint, (all.get(endpoint) ?? new Set()).union(new Set(faults)));
  }
  return new Map([...all].map(([endpoint, faults]) => [endpoint, [...faults]]));
}
