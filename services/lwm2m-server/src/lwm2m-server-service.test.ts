import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { common, management } from '@sefleet/api';
import { CODE, createCoapEndpoint, createCoapStreamEndpoint } from '@sefleet/coap';
import { decodeRecordBatch } from '@sefleet/cose';
import { createDtlsEndpoint, createSoftwareSigningKey, createX509Trust } from '@sefleet/dtls';
import { Lwm2mPath } from '@sefleet/lwm2m';
import { SEALED_RECORD_PATH } from '@sefleet/lwm2m-coap';
import type { Credential } from '@sefleet/pki';
import { connectStream, createNodeRuntime, UdpChannel } from '@sefleet/runtime/node';
import { ServerBench } from './testing/server-bench.ts';
import { SoftwareDevice } from './testing/software-device.ts';

let bench: ServerBench;
const devices: SoftwareDevice[] = [];

before(async () => {
  bench = await ServerBench.start({ SEFLEET_LWM2M_TCP: 'on' });
});
after(async () => {
  await Promise.all(devices.map((device) => device.powerOff()));
  await bench.stop();
});

function create(...args: ConstructorParameters<typeof SoftwareDevice>): SoftwareDevice {
  const device = new SoftwareDevice(...args);
  devices.push(device);
  return device;
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail('the condition did not come true in ten seconds');
}

async function counter(name: string): Promise<number> {
  const { counters } = await bench.client.getStatistics({});
  return Number(counters.find((one) => one.name === name)?.value ?? 0n);
}

test('bootstraps and registers a device over DTLS', async () => {
  const known = bench.addDevice('meter-1');
  const device = create(known).withBootstrapAccount(bench.bootstrapPort, known);
  await device.client.start();
  assert.equal(device.client.state, 'registered');
  const { registration } = await bench.client.getRegistration({ endpoint: known.endpoint });
  assert.equal(registration?.credential, 'psk:meter-1');
  assert.equal(registration?.kind, common.DeviceKind.SMART_METER);
  assert.ok(registration?.objects.includes('/3/0'));
  const { kinds, counters } = await bench.client.getStatistics({});
  assert.deepEqual(
    kinds.map(({ kind, bootstrapped, registered }) => [kind, bootstrapped, registered]),
    [[common.DeviceKind.SMART_METER, 1n, 1n]],
  );
  assert.equal(counters.find(({ name }) => name === 'dtls.handshakes')?.value, 2n);
  assert.equal(counters.find(({ name }) => name === 'dtls.suite.TLS_PSK_WITH_AES_128_CCM_8')?.value, 2n);
});

test('reads, writes, discovers and observes a device for a caller', async () => {
  const known = bench.addDevice('meter-2');
  const { endpoint } = known;
  const device = create(known).withManagementAccount(bench.lwm2mPort, known);
  await device.client.start();
  const read = await bench.client.read({ endpoint, path: '/3/0/0' });
  assert.equal(read.code, '2.05');
  assert.deepEqual(JSON.parse(read.senmlJson), [{ n: '/3/0/0', vs: 'sefleet' }]);
  const written = await bench.client.write({
    endpoint,
    path: '/1/0/1',
    senmlJson: '[{"n":"/1/0/1","v":600}]',
  });
  assert.equal(written.code, '2.04');
  assert.equal(device.tree.value(Lwm2mPath.parse('/1/0/1')), 600);
  const missing = await bench.client.read({ endpoint, path: '/3/0/99' });
  assert.equal(missing.code, '4.04');
  const discovered = await bench.client.discover({ endpoint, path: '/3' });
  assert.match(discovered.linkFormat, /<\/3\/0\/0>/);
  await assert.rejects(bench.client.read({ endpoint: 'nobody', path: '/3' }), {
    code: 'LWM2M_DEVICE_NOT_FOUND',
  });
  await assert.rejects(bench.client.read({ endpoint, path: '/x' }), { code: 'LWM2M_REQUEST_INVALID' });
  const unknown = bench.client.watchEvents({ types: [0] }).next();
  await assert.rejects(unknown, { code: 'LWM2M_REQUEST_INVALID', message: /0 is no type of event/ });
  const events = bench.client.watchEvents({});
  const { code } = await bench.client.observe({ endpoint, path: '/3/0/13' });
  assert.equal(code, '2.05');
  device.tree.instance(3, 0)?.set(13, 1_800_000_000);
  for await (const event of events) {
    if (event.endpoint !== endpoint || event.path !== '/3/0/13') continue;
    assert.match(event.senmlJson, /1800000000/);
    break;
  }
});

test('runs scripts of APDUs, one conversation at a time', async () => {
  const known = bench.addDevice('meter-3');
  const device = create(known).withManagementAccount(bench.lwm2mPort, known);
  await device.client.start();
  const { endpoint } = known;
  const first = bench.client.openApduChannel();
  first.send({ endpoint, commands: [Uint8Array.of(0, 0xa4)] });
  const one = await first.responses.next();
  assert.deepEqual(Buffer.from(one.value?.responses[0] ?? []).toString('hex'), '00a49000');
  let second = false;
  const large = new Uint8Array(3000).fill(7);
  const exchanged = bench.client.exchangeApdus({ endpoint, commands: [large] });
  void exchanged.then(() => (second = true));
  first.send({ endpoint: '', commands: [Uint8Array.of(1), Uint8Array.of(2)] });
  const two = await first.responses.next();
  assert.equal(two.value?.responses.length, 2);
  assert.equal(second, false);
  first.end();
  first.cancel();
  const { responses } = await exchanged;
  assert.equal(responses[0]?.length, 3002);
  assert.equal(device.scripts.length, 3);
});

test('acknowledges records only when the broker has them', async () => {
  const known = bench.addDevice('obu-1', common.DeviceKind.OBU);
  const device = create(known).withManagementAccount(bench.lwm2mPort, known);
  await device.client.start();
  const record = (sequence: number) => ({ path: SEALED_RECORD_PATH, value: Uint8Array.of(0xd0, sequence) });
  await until(async () => (await counter('mqtt.connected')) > 0);
  await device.client.send([record(1), record(2)]);
  const [message] = bench.published;
  assert.equal(message?.topic, `sefleet/v1/obu/${known.endpoint}/records`);
  const records = decodeRecordBatch(message?.payload ?? new Uint8Array(0));
  assert.deepEqual(
    records.map((item) => item[1]),
    [1, 2],
  );
});

test('takes no record while the broker is away, and all of them afterwards', async () => {
  const known = bench.addDevice('obu-2', common.DeviceKind.OBU);
  const device = create(known).withManagementAccount(bench.lwm2mPort, known);
  await device.client.start();
  const record = (sequence: number) => [{ path: SEALED_RECORD_PATH, value: Uint8Array.of(0xd0, sequence) }];
  const before = bench.published.length;
  await bench.stopBroker();
  await until(async () => (await counter('mqtt.lost')) > 0);
  const sent = device.client.send(record(1));
  await until(async () => (await counter('sends.busy')) > 0);
  assert.equal(bench.published.length, before);
  await bench.startBroker();
  await sent;
  assert.equal(bench.published.length, before + 1);
});

test('knows a device by the certificate of our authority, over DTLS and over TLS', async () => {
  const endpoint = 'urn:dev:sefleet:obu-9';
  const certificate = await bench.issueCertificate(endpoint, 'sefleet obu');
  const answer = await registerWithCertificate(certificate, endpoint);
  assert.equal(answer, CODE.CREATED);
  const { registration } = await bench.client.getRegistration({ endpoint });
  assert.equal(registration?.kind, common.DeviceKind.OBU);
  assert.equal(registration?.credential, `x509:${endpoint}`);
  assert.equal(await registerWithCertificate(certificate, 'urn:dev:sefleet:meter-1'), CODE.FORBIDDEN);
  const service = await bench.issueCertificate('urn:dev:sefleet:obu-9', 'sefleet service');
  await assert.rejects(registerWithCertificate(service, endpoint), { code: 'DTLS_HANDSHAKE_FAILED' });
  assert.equal(await registerOverTls(certificate, endpoint), CODE.CREATED);
  await assert.rejects(registerOverTls(service, endpoint));
});

const LINKS = { method: 'POST', path: '/rd', payload: '</3/0>', contentFormat: 40 } as const;

async function registerWithCertificate(credential: Credential, endpoint: string): Promise<number> {
  const runtime = createNodeRuntime();
  const channel = await UdpChannel.bind();
  const dtls = createDtlsEndpoint({ channel, runtime });
  const coap = createCoapEndpoint({ runtime, channel: dtls });
  try {
    const signingKey = createSoftwareSigningKey({
      privateKey: createPrivateKey(credential.privateKeyPem),
      certificateChain: [new X509Certificate(credential.certificatePem).raw],
      rawPublicKey: false,
    });
    const x509 = createX509Trust({ anchors: [bench.authority()], clock: runtime.clock });
    const settings = { signingKey, trust: { x509 }, serverName: 'localhost' };
    const peer = await dtls.connect('127.0.0.1', bench.lwm2mPort, settings);
    return (await coap.request(peer, { ...LINKS, query: [`ep=${endpoint}`, 'lwm2m=1.1'] })).code;
  } finally {
    await coap.close();
    runtime.close();
  }
}

async function registerOverTls(credential: Credential, endpoint: string): Promise<number> {
  const runtime = createNodeRuntime();
  const coap = createCoapStreamEndpoint({ runtime });
  try {
    const tls = {
      authority: readFileSync(join(bench.folder, 'ca.pem')),
      certificate: credential.certificatePem,
      privateKey: credential.privateKeyPem,
      serverName: 'localhost',
    };
    const peer = coap.attach(await connectStream({ address: '127.0.0.1', port: bench.lwm2mPort }, tls));
    return (await coap.request(peer, { ...LINKS, query: [`ep=${endpoint}`, 'lwm2m=1.1'] })).code;
  } finally {
    await coap.close();
    runtime.close();
  }
}

test('shows the devices behind a gateway as devices of their own', async () => {
  const known = bench.addDevice('gateway-1', common.DeviceKind.RPM_GATEWAY);
  const endpoint = `${known.endpoint}:thermometer`;
  const device = create(known)
    .withSensor(endpoint, 'thermometer', 36.6)
    .withSensor('urn:dev:sefleet:meter-1', 'thief', 0);
  await device.withManagementAccount(bench.lwm2mPort, known).client.start();
  await until(async () => (await bench.client.listRegistrations({ search: ':thermometer' })).total === 1n);
  const { registration } = await bench.client.getRegistration({ endpoint });
  assert.equal(registration?.gateway, known.endpoint);
  assert.ok(registration?.objects.includes('/3303/0'));
  const read = await bench.client.read({ endpoint, path: '/3303/0/5700' });
  assert.equal(read.code, '2.05');
  assert.match(read.senmlJson, /36\.6/);
  assert.equal((await bench.client.observe({ endpoint, path: '/3303/0/5700' })).code, '2.05');
  const { observations } = await bench.client.listObservations({ endpoint });
  assert.deepEqual(observations[0]?.paths, ['/3303/0/5700']);
  const own = await bench.client.listObservations({ endpoint: known.endpoint });
  assert.deepEqual(own.observations, []);
  const several = await bench.client.readComposite({ endpoint, paths: ['/3303/0/5700', '/3/0/0'] });
  assert.equal(several.code, '2.05');
  assert.match(several.senmlJson, /36\.6/);
  // A Send that names the end device is the end device's.
  const events = bench.client.watchEvents({});
  const reading = { path: Lwm2mPath.parse('/3303/0/5700'), value: 37.4, prefix: 'thermometer' };
  // Events are told from the first that is asked for on: sent until one is seen.
  const sending = setInterval(() => void device.client.send([reading]), 100);
  for await (const event of events) {
    if (!event.senmlJson.includes('37.4')) continue;
    assert.equal(event.endpoint, endpoint);
    break;
  }
  clearInterval(sending);
  // A name that a gateway claims does not hide the device that proved it.
  const meter = await bench.client.getRegistration({ endpoint: 'urn:dev:sefleet:meter-1' });
  assert.equal(meter.registration?.gateway, '');
});

test('refuses a wrong key, an unknown identity and a foreign endpoint name', async () => {
  const known = bench.addDevice('meter-4');
  const failed = await counter('dtls.failed');
  const wrong = create(known).withManagementAccount(bench.lwm2mPort, { ...known, psk: new Uint8Array(16) });
  void wrong.client.start().catch(() => {});
  const unknown = create(known).withManagementAccount(bench.lwm2mPort, { ...known, identity: 'nobody' });
  void unknown.client.start().catch(() => {});
  const thief = create({ ...known, endpoint: 'urn:dev:sefleet:meter-1' });
  thief.withManagementAccount(bench.lwm2mPort, known);
  void thief.client.start().catch(() => {});
  await until(async () => (await counter('dtls.failed')) >= failed + 2);
  await until(async () => (await counter('registration.refused')) >= 1);
  const { registration } = await bench.client.getRegistration({ endpoint: 'urn:dev:sefleet:meter-1' });
  assert.equal(registration?.credential, 'psk:meter-1');
});

test('lists registrations in pages', async () => {
  const first = await bench.client.listRegistrations({ pageSize: 2 });
  assert.equal(first.registrations.length, 2);
  assert.ok(first.total >= 4n);
  const rest = await bench.client.listRegistrations({ pageToken: first.nextPageToken });
  const names = [...first.registrations, ...rest.registrations].map(({ endpoint }) => endpoint);
  assert.deepEqual(names, names.toSorted());
  assert.equal(BigInt(names.length), first.total);
  const found = await bench.client.listRegistrations({ search: 'meter-2' });
  assert.equal(found.total, 1n);
});

test('keeps registrations, sessions and observations over a graceful restart', async () => {
  const before = await bench.client.listRegistrations({});
  const handshakes = await counter('dtls.handshakes.completed');
  assert.ok(handshakes > 0);
  const endpoint = 'urn:dev:sefleet:meter-2';
  await bench.stopService();
  await bench.startService();
  const again = await bench.client.listRegistrations({});
  assert.deepEqual(
    again.registrations.flatMap(ownRegistration),
    before.registrations.flatMap(ownRegistration),
  );
  const events = bench.client.watchEvents({});
  const read = await bench.client.read({ endpoint, path: '/3/0/0' });
  assert.equal(read.code, '2.05');
  const { observations } = await bench.client.listObservations({ endpoint });
  assert.deepEqual(
    observations.map(({ paths }) => paths),
    [['/3/0/13']],
  );
  let value = 1_900_000_000;
  // The observation is put to the device again just after the start: until then changes tell nobody.
  const changing = setInterval(() => devices[1]?.tree.instance(3, 0)?.set(13, value++), 20);
  for await (const event of events) {
    if (event.path !== '/3/0/13') continue;
    assert.match(event.senmlJson, /19000000/);
    break;
  }
  clearInterval(changing);
  assert.equal(await counter('dtls.handshakes.completed'), 0);
});

/** Devices behind gateways are known again when their gateway has been asked. */
function ownRegistration({ gateway, registrationId }: management.Registration): string[] {
  return gateway === '' ? [registrationId] : [];
}

test('does what single operations and campaigns ask for', async () => {
  const endpoint = 'urn:dev:sefleet:meter-2';
  const composite = await bench.client.readComposite({ endpoint, paths: ['/3/0/0', '/1/0/1'] });
  assert.equal(composite.code, '2.05');
  assert.match(composite.senmlJson, /sefleet/);
  const attributes = [{ name: 'pmin', value: '1' }];
  const { code } = await bench.client.writeAttributes({ endpoint, path: '/3/0/13', attributes });
  assert.equal(code, '2.04');
  const started = await bench.client.startCampaign({
    campaignId: 'read-all',
    operation: { operation: { case: 'read', value: { path: '/3/0/0' } } },
    search: 'meter-',
  });
  assert.ok((started.campaign?.total ?? 0n) >= 3n);
  await until(async () => {
    const { campaign } = await bench.client.getCampaign({ campaignId: 'read-all' });
    return (campaign?.succeeded ?? 0n) >= 3n;
  });
  const { results } = await bench.client.listCampaignResults({ campaignId: 'read-all' });
  assert.match(results[0]?.senmlJson ?? '', /sefleet/);
  const read = { operation: { case: 'read', value: { path: '/3/0/0' } } } as const;
  const again = await bench.client.startCampaign({ campaignId: 'read-all', operation: read });
  assert.equal(again.campaign?.campaignId, 'read-all');
  const bootstrap = { operation: { case: 'bootstrap', value: {} } } as const;
  await assert.rejects(bench.client.startCampaign({ campaignId: 'read-all', operation: bootstrap }), {
    code: 'LWM2M_CAMPAIGN_EXISTS',
  });
  await bench.client
    .controlCampaign({ campaignId: 'read-all', action: management.CampaignAction.CANCEL })
    .catch(() => {});
  const { campaign } = await bench.client.getCampaign({ campaignId: 'read-all' });
  assert.ok(campaign?.state !== management.CampaignState.RUNNING);
});
