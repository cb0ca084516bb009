import { invariantOf, type Invariant } from './invariant.ts';
import type { RehearsalRecord } from './rehearsal.ts';
import { openSealedReading } from './sealed-reading.ts';

/** Records of each device that are tried: the first, the last, and some between. */
const TRIED = 8;

/**
 * A record opens under the key of the one whose name it bears, and under nobody else's: not that of another
 * insurer, nor of the maker of the device.
 */
export function readerInvariant({ truths, recordKeys }: RehearsalRecord): Invariant {
  const problems: string[] = [];
  let tries = 0;
  for (const { endpoint, records } of truths.values()) {
    for (const record of spread(records)) {
      for (const [name, master] of recordKeys) {
        let owner = '';
        const reading = openSealedReading(record, endpoint, (supplier, version) => {
          owner = `${supplier}:${version}`;
          return master;
        });
        if (name === owner) continue;
        tries++;
        if (reading !== undefined) problems.push(`${endpoint}: ${name} opens a record for ${owner}`);
      }
    }
  }
  return invariantOf(
    'records open for the one they were sealed for, and for nobody else',
    problems,
    `${tries} tries with keys of others`,
  );
}

function spread(records: readonly Uint8Array[]): readonly Uint8Array[] {
  const step = Math.max(1, Math.floor(records.length / TRIED));
  return records.filter((_, i) => i % step === 0 || i === records.length - 1);
}
