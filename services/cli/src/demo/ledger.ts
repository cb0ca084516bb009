import type { Backend } from '../backend.ts';

/** Sent and stored records, matched device by device and number by number. */
export interface LedgerTotals {
  readonly sent: number;
  readonly stored: number;
  readonly lost: number;
  readonly duplicated: number;
  /** Stored for devices or numbers that no device of the fleet has sent. */
  readonly unexpected: number;
  /** The first devices with a difference. */
  readonly differences: readonly string[];
}

const MAX_DIFFERENCES = 20;

/**
 * Reads both sides of the ledger and compares them: the devices' word (numbers 1 to last, no gap) against the
 * distinct numbers that analytics has stored.
 */
export async function compareLedgers(backend: Backend): Promise<LedgerTotals> {
  const sentBy = new Map<string, number>();
  for await (const { devices } of backend.simulation.listDeviceLedger({})) {
    for (const device of devices) sentBy.set(device.endpoint, Number(device.lastSequence));
  }
  const storedBy = new Map<string, number>();
  let duplicated = 0;
  // A device that seals for several stakeholders has a row for each.
  for await (const { devices } of backend.telemetry.listLedger({})) {
    for (const device of devices) {
      storedBy.set(device.endpoint, (storedBy.get(device.endpoint) ?? 0) + Number(device.stored));
      duplicated += Number(device.duplicated);
    }
  }
  let [stored, lost, unexpected] = [0, 0, 0];
  const differences: string[] = [];
  for (const endpoint of new Set([...storedBy.keys(), ...sentBy.keys()])) {
    const sent = sentBy.get(endpoint) ?? 0;
    const kept = storedBy.get(endpoint) ?? 0;
    stored += kept;
    lost += Math.max(0, sent - kept);
    unexpected += Math.max(0, kept - sent);
    if (sent !== kept && differences.length < MAX_DIFFERENCES)
      differences.push(`${endpoint}: sent ${sent}, stored ${kept}`);
  }
  const sent = [...sentBy.values()].reduce((sum, count) => sum + count, 0);
  return { sent, stored, lost, duplicated, unexpected, differences };
}
