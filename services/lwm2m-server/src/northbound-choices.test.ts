import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { common, type management } from '@sefleet/api';
import { CODE, createCoapEndpoint } from '@sefleet/coap';
import type { CoapEndpoint, CoapRequest, RequestHandler } from '@sefleet/coap';
import { createDtlsEndpoint, createSoftwarePsk } from '@sefleet/dtls';
import { createNodeRuntime, UdpChannel } from '@sefleet/runtime/node';
import { ServerBench } from './testing/server-bench.ts';

/** What callers choose: which registrations they see, and in which format values travel. */
const runtime = createNodeRuntime();
const open: CoapEndpoint[] = [];
const asked: CoapRequest[] = [];
let bench: ServerBench;

before(async () => {
  bench = await ServerBench.start({ SEFLEET_LWM2M_AWAKE_MS: '100' });
});
after(async () => {
  await Promise.all(open.map((coap) => coap.close()));
  await bench.stop();
  runtime.close();
});

/** Registers a device that remembers what it is asked, and agrees to everything. */
async function register(name: string, query: readonly string[], objects: string): Promise<string> {
  const { endpoint, identity, psk } = bench.addDevice(name, common.DeviceKind.SMART_METER);
  const handler: RequestHandler = (request) => {
    asked.push(request);
    return { code: request.method === 'POST' && request.segments.length === 1 ? CODE.CREATED : CODE.CHANGED };
  };
  const dtls = createDtlsEndpoint({ channel: await UdpChannel.bind(), runtime });
  const coap = createCoapEndpoint({ runtime, channel: dtls, handler });
  open.push(coap);
  const peer = await dtls.connect('127.0.0.1', bench.lwm2mPort, { psk: createSoftwarePsk(identity, psk) });
  const init = { method: 'POST', path: '/rd', payload: objects, contentFormat: 40 } as const;
  const { code } = await coap.request(peer, { ...init, query: [`ep=${endpoint}`, ...query] });
  assert.equal(code, CODE.CREATED);
  return endpoint;
}

/** What a test says of a filter; the rest is not set. */
type Filter = Partial<Omit<management.RegistrationFilter, '$typeName' | '$unknown'>>;

async function listed(filter: Filter): Promise<string> {
  const { registrations, total } = await bench.client.listRegistrations({ filter });
  assert.equal(total, BigInt(registrations.length));
  return registrations.map(({ endpoint }) => endpoint.slice(endpoint.lastIndexOf(':') + 1)).join(' ');
}

test('lists registrations by what they are, and starts campaigns for the same ones', async () => {
  await register('a-short', ['lwm2m=1.1', 'lt=60'], '</3/0>,</3303/0>,</3303/1>');
  await register('b-old', ['lwm2m=1.0', 'lt=86400', 'b=UQ'], '</3/0>,</5>');
  await register('c-tcp', ['lwm2m=1.2', 'lt=0', 'b=UT'], '</3/0>,</5/0>,</3303/0>');
  const rows: readonly (readonly [Filter, string])[] = [
    [{}, 'a-short b-old c-tcp'],
    [{ objects: ['/3303'] }, 'a-short c-tcp'],
    [{ objects: ['/3303/1'] }, 'a-short'],
    [{ objects: ['/3303', '/5'] }, 'c-tcp'],
    [{ objects: ['/9'] }, ''],
    [{ lwm2mVersion: '1.0' }, 'b-old'],
    [{ binding: 'T' }, 'c-tcp'],
    [{ binding: 'UQ' }, 'b-old'],
    [{ expiresWithinSeconds: 90 }, 'a-short'],
    [{ expiresWithinSeconds: 90_000 }, 'a-short b-old'],
    [{ silentForSeconds: 3600 }, ''],
    [{ gateway: 'nobody' }, ''],
    [{ objects: ['/3/0'], binding: 'U', expiresWithinSeconds: 90 }, 'a-short'],
  ];
  for (const [filter, found] of rows) assert.equal(await listed(filter), found, JSON.stringify(filter));
  // b-old falls asleep after its awake time.
  let [asleep, tries] = ['', 0];
  while (asleep === '' && tries++ < 200) asleep = await listed({ sleeping: true });
  assert.equal(asleep, 'b-old');
  assert.equal(await listed({ sleeping: false }), 'a-short c-tcp');
  assert.equal(await listed({ reachable: false }), 'b-old');
  const operation = { operation: { case: 'read', value: { path: '/3/0/3' } } } as const;
  const campaignId = 'by-filter';
  const { campaign } = await bench.client.startCampaign({
    campaignId,
    operation,
    filter: { objects: ['/3303/0'] },
  });
  assert.equal(campaign?.total, 2n);
});

test('refuses filters that nothing can match', async () => {
  for (const filter of [
    { lwm2mVersion: '2.0' },
    { binding: 'X' },
    { objects: ['nonsense'] },
    { objects: ['/3/0/3'] },
    { objects: ['/'] },
    { objects: Array.from({ length: 65 }, () => '/3') },
  ]) {
    await assert.rejects(bench.client.listRegistrations({ filter }), { code: 'LWM2M_REQUEST_INVALID' });
  }
});

test('sends values in the content format that the caller chose', async () => {
  const endpoint = await register('writes', ['lwm2m=1.1'], '</>;ct="60 110 112 11542",</1/0>,</3303/0>');
  const path = '/1/0/1';
  const senmlJson = '[{"n":"/1/0/1","v":600}]';
  const { client } = bench;
  const sent = async (call: Promise<{ readonly code: string }>): Promise<string> => {
    assert.match((await call).code, /^2\.0/);
    const { contentFormat, payload } = asked.at(-1) ?? assert.fail('nothing was asked');
    return `${contentFormat} ${Buffer.from(payload).toString('latin1')}`;
  };
  assert.equal(await sent(client.write({ endpoint, path, senmlJson, contentFormat: 0 })), '0 600');
  assert.match(await sent(client.write({ endpoint, path, senmlJson, contentFormat: 11_542 })), /^11542 /);
  assert.match(await sent(client.write({ endpoint, path, senmlJson, contentFormat: 60 })), /^60 /);
  assert.match(await sent(client.write({ endpoint, path, senmlJson })), /^112 /);
  const instance = { endpoint, path: '/3303/7', senmlJson: '[{"n":"/3303/7/5700","v":1}]' };
  assert.match(await sent(client.createInstance({ ...instance, contentFormat: 110 })), /^110 \[/);
  assert.match(await sent(client.writeComposite({ endpoint, senmlJson, contentFormat: 110 })), /^110 \[/);
  const operation = { case: 'write', value: { path, senmlJson, partial: false, contentFormat: 0 } } as const;
  const operationId = 'chosen';
  await client.enqueueOperation({ operationId, endpoint, operation: { operation } });
  let tries = 0;
  const isOver = async (): Promise<boolean> =>
    (await client.getQueuedOperation({ operationId })).operation?.code === '2.04';
  while (!(await isOver()) && tries++ < 500);
  assert.equal(asked.at(-1)?.contentFormat, 0);
});

test('a format that cannot say it is refused before the device is asked', async () => {
  const endpoint = await register('refuses', ['lwm2m=1.1'], '</1/0>');
  const before = asked.length;
  const [path, senmlJson] = ['/1/0', '[{"n":"/1/0/1","v":600},{"n":"/1/0/7","vs":"U"}]'];
  const write = { endpoint, path, senmlJson };
  await assert.rejects(bench.client.write({ ...write, contentFormat: 0 }), {
    code: 'LWM2M_OPERATION_INVALID',
  });
  await assert.rejects(bench.client.write({ ...write, contentFormat: 7 }), { code: 'LWM2M_REQUEST_INVALID' });
  const create = { endpoint, path: '/3303', senmlJson: '[{"n":"/3303/0/5700","v":1}]', contentFormat: 112 };
  await assert.rejects(bench.client.createInstance(create), { code: 'LWM2M_OPERATION_INVALID' });
  assert.equal(asked.length, before);
});
