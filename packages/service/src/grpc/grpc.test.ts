import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fleet, management } from '@sefleet/api';
import { isSefleetError, SefleetError } from '@sefleet/errors';
import { createEventLog } from '@sefleet/observability';
import { createGrpcClient, ensureLocalPki, readTlsFiles, serve, startGrpcServer } from '../index.ts';
import type { GrpcClient, GrpcServer, TlsFiles } from '../index.ts';

const folder = mkdtempSync(join(tmpdir(), 'sefleet-grpc-'));
let server: GrpcServer;
let tls: TlsFiles;
let client: GrpcClient<typeof fleet.FleetService>;

const HAS_IPV6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === '::1'),
);

const unused = (): never => {
  throw new SefleetError('DEVICE_NOT_FOUND', 'caller', 'no such device', { hint: 'List the devices first.' });
};

before(async () => {
  await ensureLocalPki(folder, ['server', 'dashboard']);
  const service = serve(fleet.FleetService, {
    getFleetState: (_request, { caller, isPassedOn = false }) => ({
      state: { unavailable: isPassedOn ? [caller, 'passed on'] : [caller] },
    }),
    watchFleetState: async function* () {
      for (let i = 0; i < 3; i++) yield { state: { telemetry: { received: BigInt(i) } } };
    },
    listDevices: (request) => ({ total: BigInt(request.pageSize), devices: [{ endpoint: request.search }] }),
    getDevice: unused,
    startRotation: unused,
    getRotation: unused,
    queryTelemetry: unused,
  });
  const channel = serve(management.DeviceManagementService, {
    ...Object.fromEntries(
      management.DeviceManagementService.methods.map((method) => [method.localName, unused]),
    ),
    openApduChannel: async function* (requests: AsyncIterable<management.OpenApduChannelRequest>) {
      for await (const request of requests) yield { responses: request.commands };
    },
  } as unknown as Parameters<typeof serve<typeof management.DeviceManagementService>>[1]);
  server = await startGrpcServer({
    address: '127.0.0.1',
    port: 0,
    tls: readTlsFiles(folder, 'server'),
    services: [service, channel],
    kind: 'server',
    log: createEventLog({ service: 'test', level: 'silent' }),
  });
  tls = readTlsFiles(folder, 'dashboard');
  client = createGrpcClient(fleet.FleetService, `127.0.0.1:${server.port}`, tls);
});

after(async () => {
  client.close();
  await server.close();
  rmSync(folder, { recursive: true });
});

test('carries a unary call and tells the handler who calls', async () => {
  const response = await client.getFleetState({});
  assert.deepEqual(response.state?.unavailable, ['dashboard']);
  const page = await client.listDevices({ pageSize: 7, search: 'meter' });
  assert.equal(page.total, 7n);
  assert.equal(page.devices[0]?.endpoint, 'meter');
});

test('takes the name of another caller from its own kind only', async () => {
  const pretended = await client.getFleetState({}, { onBehalfOf: 'cli' });
  assert.deepEqual(pretended.state?.unavailable, ['dashboard']);
  const own = createGrpcClient(
    fleet.FleetService,
    `127.0.0.1:${server.port}`,
    readTlsFiles(folder, 'server'),
  );
  const passedOn = await own.getFleetState({}, { onBehalfOf: 'dashboard' });
  assert.deepEqual(passedOn.state?.unavailable, ['dashboard', 'passed on']);
  assert.deepEqual((await own.getFleetState({})).state?.unavailable, ['server', 'passed on']);
  own.close();
});

test('carries a server stream to its end', async () => {
  const seen: bigint[] = [];
  for await (const { state } of client.watchFleetState({})) seen.push(state?.telemetry?.received ?? -1n);
  assert.deepEqual(seen, [0n, 1n, 2n]);
});

test('gives up a call whose signal aborts, or has aborted, and leaves nothing on the signal', async () => {
  const aborted = AbortSignal.abort();
  await assert.rejects(client.getFleetState({}, { signal: aborted }), { code: 'GRPC_CANCELLED' });
  for await (const _message of client.watchFleetState({}, { signal: aborted })) assert.fail('it goes on');
  const { signal } = new AbortController();
  await client.getFleetState({}, { signal });
  for await (const { state } of client.watchFleetState({}, { signal })) assert.ok(state);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});

test('lets callers call what the rule allows, and tells of the others', async () => {
  const refused: string[] = [];
  const service = serve(fleet.FleetService, {
    ...Object.fromEntries(fleet.FleetService.methods.map((method) => [method.localName, unused])),
    getFleetState: () => ({}),
    watchFleetState: async function* () {
      yield {};
    },
  } as unknown as Parameters<typeof serve<typeof fleet.FleetService>>[1]);
  const ruled = await startGrpcServer({
    address: '127.0.0.1',
    port: 0,
    tls: readTlsFiles(folder, 'server'),
    services: [service],
    log: createEventLog({ service: 'test', level: 'silent' }),
    mayCall: (caller, method) => caller === 'dashboard' && method === 'getFleetState',
    callerRefused: ({ caller, method }) => refused.push(`${caller} ${method}`),
  });
  const caller = createGrpcClient(fleet.FleetService, `127.0.0.1:${ruled.port}`, tls);
  await caller.getFleetState({});
  await assert.rejects(caller.listDevices({}), { code: 'GRPC_CALLER_FORBIDDEN' });
  await assert.rejects(caller.watchFleetState({}).next(), { code: 'GRPC_CALLER_FORBIDDEN' });
  assert.deepEqual(refused, ['dashboard listDevices', 'dashboard watchFleetState']);
  caller.close();
  await ruled.close();
});

test('listens on IPv6', { skip: HAS_IPV6 ? false : 'this machine has no IPv6' }, async () => {
  const other = await startGrpcServer({
    address: '::1',
    port: 0,
    tls: readTlsFiles(folder, 'server'),
    services: [],
    log: createEventLog({ service: 'test', level: 'silent' }),
  });
  assert.ok(other.port > 0);
  await other.close();
});

test('carries a conversation', async () => {
  const apdus = createGrpcClient(management.DeviceManagementService, `127.0.0.1:${server.port}`, tls);
  const call = apdus.openApduChannel();
  call.send({ endpoint: 'a', commands: [Uint8Array.of(1)] });
  const first = await call.responses.next();
  assert.deepEqual(first.value?.responses[0], Uint8Array.of(1));
  call.end();
  assert.equal((await call.responses.next()).done, true);
  apdus.close();
});

test('gives a handler error its status, code and hint', async () => {
  await assert.rejects(client.getDevice({ endpoint: 'x' }), (error) => {
    assert.ok(isSefleetError(error, 'DEVICE_NOT_FOUND'));
    assert.match(error.message, /List the devices first/);
    assert.equal(error.context['status'], 'NOT_FOUND');
    return true;
  });
});

test('refuses a caller whose certificate is of another authority', async () => {
  const strangers = join(folder, 'strangers');
  await ensureLocalPki(strangers, ['dashboard']);
  const stranger = { ...readTlsFiles(strangers, 'dashboard'), authority: tls.authority };
  const refused = createGrpcClient(fleet.FleetService, `127.0.0.1:${server.port}`, stranger);
  await assert.rejects(refused.getFleetState({}, { deadlineMs: 1500 }), (error) => isSefleetError(error));
  refused.close();
});
