import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { common, fleet, management } from '@sefleet/api';
import { SefleetError } from '@sefleet/errors';
import { createEventLog } from '@sefleet/observability';
import type { TelemetryQueries, TelemetryState } from '../../domain/telemetry.ts';
import type { Dependencies, Dependency } from './dependencies.ts';
import { createFleetHandlers } from './fleet-handlers.ts';
import { FleetStateReader } from './fleet-state.ts';

const { SMART_METER } = common.DeviceKind;
const endpoints = Array.from({ length: 2500 }, (_, at) => `meter-${String(at).padStart(4, '0')}`);
let nowMs = 0;
const log = createEventLog({ service: 'test', level: 'silent' });

const down = (name: string): Dependency<never> => ({
  name,
  configured: true,
  ask: () => Promise.reject(new SefleetError('GRPC_UNAVAILABLE', 'environment', 'connection refused')),
});

/** An answering service: `client` has the methods that the question uses. */
const up = <C>(name: string, client: object): Dependency<C> => ({
  name,
  configured: true,
  // A stand-in has the few methods that are called here, not all of the client's.
  ask: (question) => question(client as C, {}),
});

const lwm2m = {
  getStatistics: () =>
    Promise.resolve({
      kinds: [{ kind: SMART_METER, bootstrapped: 9n, registered: 8n, sleeping: 1n }],
      counters: [{ name: 'dtls.handshakes', value: 5n }],
    }),
  listRegistrations: ({ pageSize, pageToken, search }: management.ListRegistrationsRequest) => {
    const found = endpoints.filter((endpoint) => endpoint.includes(search));
    const end = Number(pageToken || 0) + pageSize;
    return Promise.resolve({
      registrations: found
        .slice(end - pageSize, end)
        .map((endpoint) =>
          create(management.RegistrationSchema, { endpoint, sleeping: endpoint.endsWith('7') }),
        ),
      nextPageToken: end < found.length ? `${end}` : '',
      total: BigInt(found.length),
    });
  },
  getRegistration: ({ endpoint }: { endpoint: string }) =>
    endpoint.startsWith('meter')
      ? Promise.resolve({
          registration: create(management.RegistrationSchema, { endpoint, objects: ['/3/0'] }),
        })
      : Promise.reject(new SefleetError('LWM2M_REGISTRATION_NOT_FOUND', 'caller', 'no such device')),
};
const rotation = {
  getKeyStatistics: () => Promise.resolve({ kinds: [{ kind: SMART_METER, manufactured: 10n, rotated: 3n }] }),
  listSecurityDomains: () => Promise.resolve({ securityDomains: [] }),
};

const queries: Partial<TelemetryQueries> = {
  lastReadings: () => Promise.resolve([]),
  lastReadingTimes: () => Promise.resolve(new Map([['meter-0000', 1000]])),
  devices: ({ after }) =>
    Promise.resolve({ devices: [{ endpoint: `${after}x`, kind: 'obu', lastReadingAtMs: 5 }], total: 7 }),
};
const telemetry: TelemetryState = {
  // As above: what these tests do not ask is left out.
  queries: () => Promise.resolve(queries as TelemetryQueries),
  statistics: () => ({
    ingest: { messagesReceived: 4, stored: 3, duplicates: 1, rejected: 0, rowsPerSecond: 0.5 },
    mqttClients: 2,
    mqttRefused: 0,
    queuedBytes: 0,
  }),
};

function handlersOf(parts: Partial<Dependencies>): ReturnType<typeof createFleetHandlers> {
  const dependencies: Dependencies = {
    lwm2m: up('lwm2m-server', lwm2m),
    rotation: up('provisioning', rotation),
    simulation: { ...down('device-sim'), configured: false },
    close: () => {},
    ...parts,
  };
  const clock = { monotonicMs: () => nowMs, wallMs: () => nowMs };
  const state = new FleetStateReader(dependencies, telemetry, clock, log);
  return createFleetHandlers({ dependencies, telemetry, state, sleep: () => Promise.resolve() });
}

const context = { caller: 'test', signal: new AbortController().signal };
const listRequest = (
  fields: MessageInitShape<typeof fleet.ListDevicesRequestSchema>,
): fleet.ListDevicesRequest => create(fleet.ListDevicesRequestSchema, fields);

test('puts the state together from every service that answers', async () => {
  const { state } = await handlersOf({}).getFleetState(create(fleet.GetFleetStateRequestSchema), context);
  const meters = state?.kinds?.find(({ kind }) => kind === SMART_METER);
  assert.deepEqual(
    [meters?.total, meters?.bootstrapped, meters?.registered, meters?.sleeping, meters?.keysRotated],
    [10n, 9n, 8n, 1n, 3n],
  );
  assert.equal(state?.counters?.find(({ name }) => name === 'lwm2m.dtls.handshakes')?.value, 5n);
  assert.deepEqual(state?.unavailable, []);
});

test('names the services that do not answer, and answers for the others', async () => {
  const handlers = handlersOf({ rotation: down('provisioning') });
  const { state } = await handlers.getFleetState(create(fleet.GetFleetStateRequestSchema), context);
  assert.deepEqual(state?.unavailable, ['provisioning: connection refused']);
  assert.equal(state?.kinds?.find(({ kind }) => kind === SMART_METER)?.total, 9n);
  assert.equal(state?.telemetry?.stored, 3n);
});

test('gives a slow watcher the newest snapshot, not the ones in between', async () => {
  const abort = new AbortController();
  const handlers = handlersOf({});
  const request = create(fleet.WatchFleetStateRequestSchema, { intervalMs: 100 });
  const snapshots = handlers
    .watchFleetState(request, { ...context, signal: abort.signal })
    [Symbol.asyncIterator]();
  await snapshots.next();
  // Whatever happens while nobody reads, one read gives one snapshot, taken when it is read.
  nowMs += 3_600_000;
  const { value } = await snapshots.next();
  // The iterator's type leaves open whether it is at its end.
  const { state } = value as fleet.WatchFleetStateResponse;
  assert.equal(Number(state?.asOf?.seconds), nowMs / 1000);
  abort.abort();
  assert.equal((await snapshots.next()).done, true);
});

test('walks through every device, page by page', async () => {
  const handlers = handlersOf({});
  const seen: (string | undefined)[] = [];
  let pageToken = '';
  do {
    const page = await handlers.listDevices(listRequest({ pageSize: 1000, pageToken }), context);
    assert.equal(page.total, 2500n);
    seen.push(...(page.devices ?? []).map(({ endpoint }) => endpoint));
    pageToken = page.nextPageToken ?? '';
  } while (pageToken !== '');
  assert.deepEqual(seen, endpoints);
});

test('finds the devices in one state across the pages of the LwM2M server', async () => {
  const handlers = handlersOf({});
  const sleeping = fleet.DeviceState.SLEEPING;
  const seen: (string | undefined)[] = [];
  let pageToken = '';
  do {
    const page = await handlers.listDevices(
      listRequest({ state: sleeping, pageSize: 99, pageToken }),
      context,
    );
    assert.equal(page.total, 250n);
    seen.push(...(page.devices ?? []).map(({ endpoint }) => endpoint));
    pageToken = page.nextPageToken ?? '';
  } while (pageToken !== '');
  assert.deepEqual(
    seen,
    endpoints.filter((endpoint) => endpoint.endsWith('7')),
  );
  for (const foreign of ['r:abc', 'r:-5', 'x:1']) {
    const asked = Promise.try(() =>
      handlers.listDevices(listRequest({ state: sleeping, pageToken: foreign }), context),
    );
    await assert.rejects(asked, { code: 'ANALYTICS_REQUEST_INVALID' }, foreign);
  }
});

test('lists what telemetry knows while the LwM2M server is down, and goes on there', async () => {
  const handlers = handlersOf({ lwm2m: down('lwm2m-server') });
  const first = await handlers.listDevices(listRequest({ pageSize: 1 }), context);
  assert.deepEqual(
    [first.devices?.[0]?.endpoint, first.devices?.[0]?.kind, first.total],
    ['x', common.DeviceKind.OBU, 7n],
  );
  const next = { pageSize: 1, pageToken: first.nextPageToken ?? '' };
  const second = await handlers.listDevices(listRequest(next), context);
  assert.equal(second.devices?.[0]?.endpoint, 'xx');
});

test('refuses pages and tokens out of range', async () => {
  const handlers = handlersOf({});
  const refused = { code: 'ANALYTICS_REQUEST_INVALID' };
  await assert.rejects(async () => handlers.listDevices(listRequest({ pageSize: 1001 }), context), refused);
  await assert.rejects(async () => handlers.listDevices(listRequest({ pageToken: 'abc' }), context), refused);
  await assert.rejects(
    async () => handlers.getDevice(create(fleet.GetDeviceRequestSchema), context),
    refused,
  );
});

test('tells a device that is unknown from one whose service is down', async () => {
  const handlers = handlersOf({});
  const found = await handlers.getDevice(
    create(fleet.GetDeviceRequestSchema, { endpoint: 'meter-1' }),
    context,
  );
  assert.deepEqual(found.objects, ['/3/0']);
  const unknown = create(fleet.GetDeviceRequestSchema, { endpoint: 'other' });
  await assert.rejects(async () => handlers.getDevice(unknown, context), {
    code: 'ANALYTICS_DEVICE_NOT_FOUND',
  });
});
