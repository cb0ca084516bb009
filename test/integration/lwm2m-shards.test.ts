import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { common, management } from '@sefleet/api';
import { SoftwareDevice } from '../../services/lwm2m-server/src/testing/software-device.ts';
import { LoadBackend } from '../load/lwm2m/backend.ts';
import { endpointOf, keyOf } from '../load/lwm2m/fleet.ts';

/** Two server processes of one fleet, each asked about the devices of both. */
const FAST = { ackTimeoutMs: 300, maxRetransmit: 2 };
const { CampaignState, EventType, QueuedOperationState } = management;
const devices = new Map<string, SoftwareDevice>();
let one: LoadBackend;
let two: LoadBackend;

before(async () => {
  one = await LoadBackend.start();
  two = await LoadBackend.start({}, one);
  const access = join(one.folder, 'access.json');
  const rule = { operations: ['list', 'read', 'events'], endpoints: [endpointOf('a*'), endpointOf('b1')] };
  writeFileSync(access, JSON.stringify({ callers: { cli: {}, visitor: rule } }));
  const settings = (own: LoadBackend, other: LoadBackend) => ({
    SEFLEET_LWM2M_ACCESS: access,
    SEFLEET_LWM2M_URI: `coaps://127.0.0.1:${own.lwm2mPort}`,
    SEFLEET_LWM2M_PEERS: `127.0.0.1:${other.grpcPort}=coaps://127.0.0.1:${other.lwm2mPort}`,
  });
  await one.restart(settings(one, two));
  await two.restart(settings(two, one));
  for (const [name, server] of [
    ['a1', one],
    ['a2', one],
    ['b1', two],
    ['b2', two],
    ['b3', two],
  ] as const) {
    await add(name, server);
  }
});

after(async () => {
  await Promise.all(Array.from(devices.values(), (device) => device.powerOff()));
  await two.stop();
  await one.stop();
});

async function add(name: string, { lwm2mPort }: LoadBackend): Promise<SoftwareDevice> {
  const known = {
    endpoint: endpointOf(name),
    kind: common.DeviceKind.SMART_METER,
    identity: name,
    psk: keyOf(name),
    bootstrapIdentity: `${name}-bs`,
    bootstrapPsk: keyOf(`${name}-bs`),
  };
  const device = new SoftwareDevice(known, {}, FAST).withManagementAccount(lwm2mPort, known);
  devices.set(name, device);
  await device.client.start();
  return device;
}

const names = (list: readonly { readonly endpoint: string }[]): string[] =>
  list.map(({ endpoint }) => endpoint.slice(endpointOf('').length));

test('lists the devices of both servers, in pages, on either', async () => {
  for (const { client } of [one, two]) {
    const first = await client.listRegistrations({ pageSize: 3 });
    assert.equal(first.total, 5n);
    assert.deepEqual(names(first.registrations), ['a1', 'a2', 'b1']);
    const rest = await client.listRegistrations({ pageSize: 3, pageToken: first.nextPageToken });
    assert.deepEqual(names(rest.registrations), ['b2', 'b3']);
    assert.equal(rest.nextPageToken, '');
    const { kinds, silentServers } = await client.getStatistics({});
    assert.deepEqual([kinds[0]?.registered, silentServers], [5n, 0]);
  }
});

test('works with a device wherever it is', async () => {
  for (const { client } of [one, two]) {
    for (const name of ['a1', 'b1']) {
      const endpoint = endpointOf(name);
      assert.equal((await client.getRegistration({ endpoint })).registration?.endpoint, endpoint);
      assert.match((await client.read({ endpoint, path: '/3/0/0' })).senmlJson, /sefleet/);
      const senmlJson = '[{"n":"/1/0/1","v":555}]';
      assert.equal((await client.write({ endpoint, path: '/1/0/1', senmlJson })).code, '2.04');
      const tree = await client.getDeviceTree({ endpoint, depth: 1 });
      assert.ok(tree.objects.length > 2);
      const apdus = await client.exchangeApdus({ endpoint, commands: [Uint8Array.of(0, 0xa4)] });
      assert.equal(Buffer.from(apdus.responses[0] ?? []).toString('hex'), '00a49000');
      const channel = client.openApduChannel();
      channel.send({ endpoint, commands: [Uint8Array.of(1)] });
      assert.equal((await channel.responses.next()).value?.responses.length, 1);
      channel.send({ endpoint: '', commands: [Uint8Array.of(1), Uint8Array.of(2)] });
      assert.equal((await channel.responses.next()).value?.responses.length, 2);
      channel.end();
    }
    const missing = client.read({ endpoint: endpointOf('nobody'), path: '/3' });
    await assert.rejects(missing, { code: 'LWM2M_DEVICE_NOT_FOUND' });
  }
});

test('keeps to what a caller is granted, on the server that has the device', async () => {
  const visitor = await one.clientOf('visitor');
  assert.deepEqual(names((await visitor.listRegistrations({})).registrations), ['a1', 'a2', 'b1']);
  assert.equal((await visitor.read({ endpoint: endpointOf('b1'), path: '/3/0/0' })).code, '2.05');
  const forbidden = visitor.read({ endpoint: endpointOf('b2'), path: '/3/0/0' });
  await assert.rejects(forbidden, { code: 'LWM2M_ACCESS_FORBIDDEN' });
  const { records } = await two.client.listAuditRecords({ caller: 'visitor' });
  assert.equal(records[0]?.endpoint, endpointOf('b2'));
  visitor.close();
});

test('gives the events of both in one stream, and goes on over kill -9 of one', async () => {
  const seen: string[] = [];
  let token = '';
  const types = [EventType.UPDATED];
  const read = async (count: number): Promise<void> => {
    for await (const event of one.client.watchEvents({ types, resumeToken: token })) {
      token = event.resumeToken;
      seen.push(names([event])[0] ?? '');
      if (seen.length >= count) return;
    }
  };
  const first = read(2);
  // A stream is open when its first event comes: an update says nothing new, so that it may be repeated.
  const knocking = setInterval(() => devices.get('a1')?.client.update(), 100);
  while (seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  clearInterval(knocking);
  devices.get('b1')?.client.update();
  await first;
  seen.length = 0;
  devices.get('b2')?.client.update();
  // An event that was told is on disk. The token stays where it was, so that this one is told again.
  for await (const event of one.client.watchEvents({ types, resumeToken: token })) {
    if (event.endpoint === endpointOf('b2')) break;
  }
  await two.killServer();
  await two.startServer();
  devices.get('a2')?.client.update();
  while (!seen.includes('b2') || !seen.includes('a2')) await read(seen.length + 1);
  assert.equal(seen.filter((name) => name === 'b2').length, 1);
  for (const name of ['b1', 'b2', 'b3']) devices.get(name)?.client.update();
  await until(async () => {
    const reads = ['b1', 'b2', 'b3'].map((name) =>
      two.client.read({ endpoint: endpointOf(name), path: '/3/0/0' }).catch(() => ({ code: '' })),
    );
    return (await Promise.all(reads)).every(({ code }) => code === '2.05');
  });
});

test('queues an operation where its device is or will be, and finds it by its id on either', async () => {
  const reboot = { operation: { case: 'execute', value: { path: '/3/0/4' } } } as const;
  const id = (name: string) => ({ operationId: name });
  await one.client.enqueueOperation({ ...id('there'), endpoint: endpointOf('b1'), operation: reboot });
  await until(async () => {
    const { operation } = await one.client.getQueuedOperation(id('there'));
    return operation?.state === QueuedOperationState.ANSWERED;
  });
  assert.equal(devices.get('b1')?.reboots, 1);
  const waiting = Array.from({ length: 8 }, (_, index) => `absent-${index}`);
  for (const name of waiting) {
    await one.client.enqueueOperation({ ...id(name), endpoint: endpointOf(name), operation: reboot });
  }
  const found: string[] = [];
  let pageToken = '';
  do {
    const page = await two.client.listQueuedOperations({ pageSize: 2, pageToken, onlyOpen: true });
    found.push(...page.operations.map(({ operationId }) => operationId));
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  assert.deepEqual(found.toSorted(), waiting);
  for (const name of waiting) {
    const { operation } = await two.client.cancelQueuedOperation(id(name));
    assert.equal(operation?.state, QueuedOperationState.CANCELLED);
  }
  await assert.rejects(two.client.getQueuedOperation(id('none')), {
    code: 'LWM2M_QUEUED_OPERATION_NOT_FOUND',
  });
});

test('runs a campaign on the devices of both', async () => {
  const operation = { operation: { case: 'read', value: { path: '/3/0/0' } } } as const;
  await one.client.startCampaign({ campaignId: 'all', operation, search: endpointOf('') });
  await one.client.startCampaign({ campaignId: 'named', operation, endpoints: ['a1', 'b3'].map(endpointOf) });
  for (const [campaignId, count] of [
    ['all', 5n],
    ['named', 2n],
  ] as const) {
    await until(async () => {
      const { campaign } = await two.client.getCampaign({ campaignId });
      return campaign?.state === CampaignState.ENDED && campaign.succeeded === count;
    });
  }
  const done: string[] = [];
  let pageToken = '';
  do {
    const page = await two.client.listCampaignResults({ campaignId: 'named', pageToken });
    done.push(...page.results.map(({ endpoint, code }) => `${names([{ endpoint }])[0]} ${code}`));
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  assert.deepEqual(done.toSorted(), ['a1 2.05', 'b3 2.05']);
  const { campaigns } = await one.client.listCampaigns({});
  assert.equal(campaigns.find(({ campaignId }) => campaignId === 'all')?.total, 5n);
});

test('says which part is missing when a server is away', async () => {
  await two.killServer();
  const { registrations, silentServers } = await one.client.listRegistrations({});
  assert.deepEqual(names(registrations), ['a1', 'a2']);
  assert.equal(silentServers, 1);
  // One that was never asked about, and one that was found on the other server before.
  for (const name of ['b-new', 'b1']) {
    const missing = one.client.read({ endpoint: endpointOf(name), path: '/3/0/0' });
    await assert.rejects(missing, { code: 'LWM2M_SHARD_UNAVAILABLE' });
  }
  const channel = one.client.openApduChannel();
  channel.send({ endpoint: endpointOf('b1'), commands: [Uint8Array.of(1)] });
  await assert.rejects(channel.responses.next(), { code: 'LWM2M_SHARD_UNAVAILABLE' });
  assert.equal((await one.client.read({ endpoint: endpointOf('a1'), path: '/3/0/0' })).code, '2.05');
  await two.startServer();
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail('the condition did not come true in twenty seconds');
}
