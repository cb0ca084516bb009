import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import type { AccountEvidence, MeterEvidence } from '../evidence.ts';
import type { RehearsalRecord } from './rehearsal.ts';
import { serverInvariants } from './server-invariants.ts';

const [A, B] = ['northern-power', 'sunrise-energy'];
const OPENED: AccountEvidence = { server: B, registration: 'r2', registeredAt: 100, goneAt: 0, refusal: '' };
const CLOSED: AccountEvidence = {
  server: A,
  registration: 'r1',
  registeredAt: 1,
  goneAt: 400,
  refusal: 'LWM2M_DEVICE_NOT_FOUND',
};

function meter(state: string, accounts: readonly AccountEvidence[]): MeterEvidence {
  // The invariants look at nothing else.
  return { endpoint: 'm', state, from: A, to: B, accounts } as unknown as MeterEvidence;
}

function broken(
  meters: readonly MeterEvidence[],
  records: readonly Uint8Array[] = [],
  received: Readonly<Record<string, readonly Uint8Array[]>> = {},
): number[] {
  const truth = { endpoint: 'm', records };
  const record = {
    bundle: { meters },
    truths: new Map([['m', truth]]),
    recordKeys: new Map(),
    received: new Map(Object.entries(received).map(([supplier, own]) => [supplier, new Map([['m', own]])])),
  } as unknown as RehearsalRecord;
  return serverInvariants(record).flatMap(({ holds }, at) => (holds ? [] : [at]));
}

test('nothing is claimed where suppliers have no servers', () => {
  const record = { bundle: { meters: [] } } as unknown as RehearsalRecord;
  deepEqual(serverInvariants(record), []);
});

test('an account that moved with an overlap is as it should be', () => {
  deepEqual(broken([meter('confirmed', [OPENED, CLOSED])]), []);
});

test('an account that did not move, or moved in the wrong way, is found', () => {
  const wrong: readonly (readonly AccountEvidence[])[] = [
    [],
    [OPENED],
    [CLOSED],
    [OPENED, { ...CLOSED, goneAt: 0 }],
    [OPENED, { ...CLOSED, goneAt: 99 }],
    [OPENED, { ...CLOSED, refusal: '' }],
    [OPENED, { ...CLOSED, refusal: '2.05' }],
    [OPENED, { ...CLOSED, refusal: '4.01' }],
    [{ ...OPENED, goneAt: 500 }, CLOSED],
    [{ ...OPENED, registration: '' }, CLOSED],
  ];
  for (const accounts of wrong)
    deepEqual(broken([meter('confirmed', accounts)]), [1], JSON.stringify(accounts));
});

test('a meter that was taken back has had no account with the new supplier', () => {
  deepEqual(broken([meter('rolled-back', [])]), []);
  deepEqual(broken([meter('rolled-back', [OPENED])]), [2]);
});

test('a record that nobody got, that came twice or to a stranger is found', () => {
  const record = Uint8Array.of(1, 2, 3);
  equal(broken([], [record], { [A]: [] }).length, 1);
  equal(broken([], [record], { [A]: [record] }).length, 1, 'it opens for nobody, so that it is not of A');
  equal(broken([], [], { [A]: [record] }).length, 1);
  equal(broken([], [], { [A]: [], [B]: [] }).length, 0);
});
