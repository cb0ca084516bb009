import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { sealTelemetryRecord } from '@sefleet/cose';
import { enablerObjects, ObjectTree, omaModels } from '@sefleet/lwm2m';
import { stakeholderIdentity, type Lwm2mClient } from '@sefleet/lwm2m-coap';
import { Lwm2mCarrier } from './lwm2m-carrier.ts';

const ENDPOINT = 'urn:dev:sefleet:meter-000001';
const NETWORK = 1;

type Server = ReturnType<Lwm2mClient['servers']>[number];

/** A client of which only accounts, registrations and Sends matter. */
function clientOf(stakeholders: ReadonlyMap<string, number>, away: readonly number[] = []) {
  const tree = new ObjectTree(enablerObjects(omaModels(), { reboot: () => undefined }), {}, omaModels());
  const servers = [NETWORK, ...stakeholders.values()];
  for (const id of servers) {
    const stakeholder = [...stakeholders].find(([, server]) => server === id)?.[0];
    const identity = stakeholder === undefined ? ENDPOINT : stakeholderIdentity(stakeholder, ENDPOINT);
    tree.require(0).add(id, [
      [0, 'coaps://127.0.0.1'],
      [1, false],
      [2, 0],
      [3, Uint8Array.from(Buffer.from(identity))],
      [5, new Uint8Array(1)],
      [10, id],
    ]);
    tree.require(1).add(id, [
      [0, id],
      [1, 300],
      [6, true],
      [7, 'U'],
    ]);
  }
  const sent: { readonly server: number | undefined; readonly records: number }[] = [];
  const client = {
    tree,
    state: 'registered',
    servers: (): Server[] =>
      servers.map((shortServerId) => ({
        shortServerId,
        state: away.includes(shortServerId) ? 'backing-off' : 'registered',
        location: undefined,
      })),
    send: (entries: readonly unknown[], server?: number) => {
      sent.push({ server, records: entries.length });
      return Promise.resolve();
    },
  };
  // The carrier asks nothing else of a client.
  return { carrier: new Lwm2mCarrier(client as unknown as Lwm2mClient), sent };
}

function recordFor(stakeholder: string, sequence: number): Uint8Array {
  return sealTelemetryRecord({
    stakeholder,
    keyVersion: 1,
    recordKey: new Uint8Array(16),
    endpoint: ENDPOINT,
    record: { sequence, timestampMs: 1_800_000_000_000, values: [[1, sequence]] },
  });
}

const OLD = [recordFor('northern-power', 1), recordFor('northern-power', 2)];
const FRESH = [recordFor('sunrise-energy', 3)];

test('every record goes to the server of its stakeholder, and none overtakes another', async () => {
  const { carrier, sent } = clientOf(
    new Map(Object.entries({ 'northern-power': 117, 'sunrise-energy': 118 })),
  );
  equal(carrier.together([...OLD, ...FRESH]), 2);
  await carrier.deliver(OLD);
  equal(carrier.together(FRESH), 1);
  await carrier.deliver(FRESH);
  deepEqual(sent, [
    { server: 117, records: 2 },
    { server: 118, records: 1 },
  ]);
});

test("a record waits while its stakeholder's server is away", () => {
  const { carrier } = clientOf(new Map([['northern-power', 117]]), [117]);
  equal(carrier.together(OLD), 0);
});

test('a record waits for the account of its stakeholder, where another one has a server', async () => {
  const { carrier } = clientOf(new Map([['northern-power', 117]]));
  equal(carrier.together(FRESH), 0);
  equal(carrier.together([...OLD, ...FRESH]), 2);
});

test('without servers of stakeholders all records go where the network is run', async () => {
  const { carrier, sent } = clientOf(new Map());
  equal(carrier.together([...OLD, ...FRESH]), 3);
  await carrier.deliver(OLD);
  deepEqual(sent, [{ server: undefined, records: 2 }]);
});
