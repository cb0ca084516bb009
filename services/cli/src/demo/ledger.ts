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
  let [stored, lost, duplicated, unexpected] = [0, 0, 0, 0];
  const differences: string[] = [];
  const unseen = new Map(sentBy);
  for await (const { devices } of backend.telemetry.listLedger({})) {
    for (const device of devices) {
      const sent = sentBy.get(device.endpoint) ?? 0;
      const kept = Number(device.stored);
      unseen.delete(device.endpoint);
      stored += kept;
      duplicated += Number(device.duplicated);
      lost += Math.max(0, sent - kept);
      unexpected += Math.max(0, kept - sent);
      if (sent !== kept && differences.length < MAX_DIFFERENCES) {
        differences.push(`${device.endpoint}: sent ${sent}, stored ${kept}`);
      }
    }
  }
  for (const [endpoint, sent] of unseen) {
    lost += sent;
    if (sent > 0 && differences.length < MAX_DIFFERENCES)
      differences.push(`${endpoint}: sent ${sent}, stored 0`);
  }
  const sent = [...sentBy.values()].reduce((sum, count) => sum + count, 0);
  return { sent, stored, lost, duplicated, unexpected, differences };
}
