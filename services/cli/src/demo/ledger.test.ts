import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Backend } from '../backend.ts';
import { compareLedgers } from './ledger.ts';

interface Sent {
  readonly endpoint: string;
  readonly lastSequence: bigint;
}
interface Stored {
  readonly endpoint: string;
  readonly stored: bigint;
  readonly duplicated: bigint;
}

function backendWith(sent: readonly Sent[], stored: readonly Stored[]): Backend {
  const stream = async function* <T>(devices: readonly T[]) {
    yield { devices };
  };
  const partial = {
    simulation: { listDeviceLedger: () => stream(sent) },
    telemetry: { listLedger: () => stream(stored) },
  };
  // Only the two calls that the comparison makes.
  return partial as unknown as Backend;
}

test('matches device by device, so that a loss here cannot hide behind a surplus there', async () => {
  const totals = await compareLedgers(
    backendWith(
      [
        { endpoint: 'a', lastSequence: 5n },
        { endpoint: 'b', lastSequence: 5n },
        { endpoint: 'c', lastSequence: 2n },
      ],
      [
        { endpoint: 'a', stored: 4n, duplicated: 0n },
        { endpoint: 'b', stored: 6n, duplicated: 1n },
      ],
    ),
  );
  assert.partialDeepStrictEqual(totals, { sent: 12, stored: 10, lost: 3, duplicated: 1, unexpected: 1 });
  assert.equal(totals.differences.length, 3);
});

test('finds nothing where all is well', async () => {
  const totals = await compareLedgers(
    backendWith([{ endpoint: 'a', lastSequence: 5n }], [{ endpoint: 'a', stored: 5n, duplicated: 0n }]),
  );
  assert.deepEqual(totals, { sent: 5, stored: 5, lost: 0, duplicated: 0, unexpected: 0, differences: [] });
});

test('adds up what a device sealed for several stakeholders', async () => {
  const totals = await compareLedgers(
    backendWith(
      [{ endpoint: 'a', lastSequence: 7n }],
      [
        { endpoint: 'a', stored: 4n, duplicated: 0n },
        { endpoint: 'a', stored: 3n, duplicated: 0n },
      ],
    ),
  );
  assert.deepEqual(totals, { sent: 7, stored: 7, lost: 0, duplicated: 0, unexpected: 0, differences: [] });
});
