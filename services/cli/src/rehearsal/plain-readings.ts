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
    newestOfEach(records).flatMap((bytes) => {
      const sealed = decodeSealedRecord(bytes);
      const master = masters.get(`${sealed.stakeholder}:${sealed.keyVersion}`);
      if (master === undefined) return [];
      const record = openTelemetryRecord(sealed, deriveRecordKey(master, endpoint), endpoint);
      const name = `reading of ${endpoint}`;
      return [
        {
          owner: sealed.stakeholder,
          name,
          value: encodeTelemetryRecord(record),
          onCard: true,
          isReading: true,
        },
      ];
    }),
  );
}

/**
 * What devices sealed for parties that have nothing on them any more, as it was sealed: in the devices'
 * cards nothing of it may be left, though everybody else may have seen those bytes pass.
 */
export function recordsOfThoseGone(
  truths: readonly MeterTruth[],
  left: ReadonlyMap<string, ReadonlySet<string>>,
): ReadonlyMap<string, readonly Canary[]> {
  return new Map(
    truths.slice(0, METERS).map(({ endpoint, records }) => {
      const isGone = (party: string): boolean => left.get(endpoint)?.has(party) === true;
      const gone = records.filter((bytes) => isGone(decodeSealedRecord(bytes).stakeholder));
      const name = `sealed reading of ${endpoint}`;
      return [
        endpoint,
        gone.map((value) => ({ owner: decodeSealedRecord(value).stakeholder, name, value, onCard: true })),
      ];
    }),
  );
}

/** The last records of every party: those of one that is gone lie far behind those of the next. */
function newestOfEach(records: readonly Uint8Array[]): readonly Uint8Array[] {
  const own = Map.groupBy(records, (bytes) => decodeSealedRecord(bytes).stakeholder);
  return [...own.values()].flatMap((list) => list.slice(-READINGS_EACH));
}
