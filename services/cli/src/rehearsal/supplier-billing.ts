import { decodeSealedRecord, deriveRecordKey, metricNamed, openTelemetryRecord } from '@sefleet/cose';
import type { BillingLine } from '@sefleet/evidence';

/** What counts up and is charged by: energy, distance, measurements. */
const COUNTERS = new Set(
  ['activeEnergyWh', 'odometerM', 'measurementsTaken'].map((name) => metricNamed(name)?.id),
);

interface BilledMeter {
  readonly endpoint: string;
  readonly capacityWh?: number | undefined;
}

/**
 * What the suppliers bill for a meter: each opens the records that were sealed for it and charges what the
 * register grew by between two of its readings.
 *
 * @param meter Its name, and the count at which its register begins at 0 again: its type plate says so.
 * @param masters Record master keys by `supplier:version`.
 */
export function billMeter(
  { endpoint, capacityWh = 0 }: BilledMeter,
  records: readonly Uint8Array[],
  masters: ReadonlyMap<string, Uint8Array>,
): readonly BillingLine[] {
  const keys = new Map<string, Uint8Array>();
  const last = new Map<string, { readonly at: number; readonly wh: number; readonly sequence: number }>();
  const lines: BillingLine[] = [];
  // Each supplier has its own part of the records: put together they are in the order of their numbers again.
  const ordered = records.map(decodeSealedRecord).toSorted((a, b) => a.sequence - b.sequence);
  for (const sealed of ordered) {
    const { stakeholder: supplier, sequence } = sealed;
    const name = `${supplier}:${sealed.keyVersion}`;
    const master = masters.get(name);
    if (master === undefined) continue;
    const key = keys.get(name) ?? deriveRecordKey(master, endpoint);
    keys.set(name, key);
    const { timestampMs: until, values } = openTelemetryRecord(sealed, key, endpoint);
    const wh = values.find(([metric]) => COUNTERS.has(metric))?.[1];
    if (wh === undefined) continue;
    const before = last.get(supplier);
    // Who comes back later does not bill the time between: numbers that do not follow each other are of two
    // contracts. A reading that was lost is not billed over either; it shows as the gap that it is.
    if (before?.sequence === sequence - 1) {
      // Less than before, and yet it only counts up: it has begun at 0 again.
      const energyWh = wh < before.wh ? wh - before.wh + capacityWh : wh - before.wh;
      lines.push({ supplier, endpoint, from: before.at, until, energyWh });
    }
    last.set(supplier, { at: until, wh, sequence });
  }
  return lines;
}
