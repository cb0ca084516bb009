import type { MeterEvidence } from '../evidence.ts';
import type { Continuity } from './continuity.ts';
import { growthOf } from './register.ts';
import type { BillingLine, MeterAccount, MeterTruth, SupplierChange } from './rehearsal.ts';
import type { SealedReading } from './sealed-reading.ts';

/** The energy of one meter, as it stands in the report. */
export function accountOf(
  switches: readonly MeterEvidence[],
  truth: MeterTruth,
  billing: readonly BillingLine[],
  { gapWh, overlapWh, residualWh, readings }: Continuity,
): MeterAccount {
  const billedWh: Record<string, number> = {};
  for (const { supplier, energyWh } of billing) billedWh[supplier] = (billedWh[supplier] ?? 0) + energyWh;
  const instant = switches.at(-1)?.cutOverAt ?? truth.lastAt;
  const after = readings.filter(({ at }) => at >= instant).toSorted((a, b) => a.at - b.at);
  const registers = after.map(({ registerWh }) => registerWh);
  const afterInstantWh = registers.reduce((sum, wh, i) => {
    const before = registers[i - 1];
    return before === undefined ? sum : sum + growthOf(before, wh, truth.capacityWh);
  }, 0);
  return {
    endpoint: truth.endpoint,
    growthWh: truth.lastRegisterWh - truth.firstRegisterWh,
    billedWh,
    gapWh,
    overlapWh,
    residualWh,
    afterInstantWh,
    changes: changesOf(readings),
  };
}

/** Where the supplier changes in the order of sealing. Who reads beside others has numbers of its own. */
function changesOf(readings: readonly SealedReading[]): readonly SupplierChange[] {
  return readings.flatMap((opening, i) => {
    const closing = readings[i - 1];
    if (closing === undefined || closing.supplier === opening.supplier) return [];
    if (opening.sequence !== closing.sequence + 1) return [];
    const { supplier: from, at: lastAt, sequence: replayFloor } = closing;
    return [{ from, to: opening.supplier, lastAt, firstAt: opening.at, replayFloor }];
  });
}
