import {
  decodeSealedRecord,
  deriveRecordKey,
  encodeTelemetryRecord,
  openTelemetryRecord,
} from '@sefleet/cose';
import type { MeterTruth } from '@sefleet/evidence';
import type { Canary } from './canary-scan.ts';

const METERS = 5;
const READINGS_EACH = 4;

/**
 * Readings of some meters as their cards sealed them, in the clear: only the supplier of each, and the device
 * itself, may ever see those bytes.
 *
 * @param masters Record master keys by `supplier:version`.
 */
export function plainReadings(
  truths: readonly MeterTruth[],
  masters: ReadonlyMap<string, Uint8Array>,
): readonly Canary[] {
  return truths.slice(0, METERS).flatMap(({ endpoint, records }) =>
    records.slice(-READINGS_EACH).flatMap((bytes) => {
      const sealed = decodeSealedRecord(bytes);
      const master = masters.get(`${sealed.stakeholder}:${sealed.keyVersion}`);
      if (master === undefined) return [];
      const record = openTelemetryRecord(sealed, deriveRecordKey(master, endpoint), endpoint);
      const name = `reading of ${endpoint}`;
      return [{ owner: sealed.stakeholder, name, value: encodeTelemetryRecord(record), onCard: true }];
    }),
  );
}
