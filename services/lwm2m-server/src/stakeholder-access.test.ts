import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { common, management } from '@sefleet/api';
import { createGrpcClient, type GrpcClient } from '@sefleet/service';
import { ServerBench } from './testing/server-bench.ts';
import type { KnownDevice } from './testing/server-bench.ts';
import { SoftwareDevice } from './testing/software-device.ts';

const folder = mkdtempSync(join(tmpdir(), 'sefleet-access-'));
const DOMAIN = 'A0000001515350';
const RULES = {
  callers: {
    cli: {},
    'northern-power': {
      operations: ['list', 'read', 'events', 'apdu', 'campaign'],
      kinds: ['smart-meter'],
      objects: [3, 30_000],
      securityDomains: [DOMAIN],
    },
  },
};
const FORBIDDEN = { code: 'LWM2M_ACCESS_FORBIDDEN' };

let bench: ServerBench;
let supplier: GrpcClient<typeof management.DeviceManagementService>;
let meter: KnownDevice;
let obu: KnownDevice;
const devices: SoftwareDevice[] = [];

before(async () => {
  const file = join(folder, 'access.json');
  writeFileSync(file, JSON.stringify(RULES));
  bench = await ServerBench.start({ SEFLEET_LWM2M_ACCESS: file });
  supplier = await bench.clientOf('northern-power');
  meter = bench.addDevice('meter-1');
  obu = bench.addDevice('obu-1', common.DeviceKind.OBU);
  for (const known of [meter, obu]) {
    const device = new SoftwareDevice(known).withManagementAccount(bench.lwm2mPort, known);
    devices.push(device);
    await device.client.start();
  }
});
after(async () => {
  supplier.close();
  await Promise.all(devices.map((device) => device.powerOff()));
  await bench.stop();
  rmSync(folder, { recursive: true });
});

const select = Buffer.from(`00A4040007${DOMAIN}00`, 'hex');
const other = Buffer.from('00A4040007A000000151FFFF00', 'hex');
const plain = Buffer.from('80CA006600', 'hex');

test('a stakeholder sees and touches what its certificate is granted', async () => {
  const { registrations, total } = await supplier.listRegistrations({});
  assert.deepEqual([registrations.map(({ endpoint }) => endpoint), total], [[meter.endpoint], 1n]);
  assert.equal((await supplier.read({ endpoint: meter.endpoint, path: '/3/0/0' })).code, '2.05');
  const { responses } = await supplier.exchangeApdus({ endpoint: meter.endpoint, commands: [select, plain] });
  assert.equal(responses.length, 2);
});

test('a campaign of a stakeholder reaches its own devices, and nobody else sees it', async () => {
  const read = { operation: { case: 'read', value: { path: '/3/0/0' } } } as const;
  const { campaign } = await supplier.startCampaign({ campaignId: 'mine', operation: read });
  assert.equal(campaign?.total, 1n);
  await bench.client.startCampaign({ campaignId: 'theirs', operation: read });
  await assert.rejects(supplier.getCampaign({ campaignId: 'theirs' }), { code: 'LWM2M_CAMPAIGN_NOT_FOUND' });
  const { campaigns } = await supplier.listCampaigns({});
  assert.deepEqual(
    campaigns.map(({ campaignId }) => campaignId),
    ['mine'],
  );
  assert.equal((await bench.client.listCampaigns({})).campaigns.length, 2);
});

test('a SELECT that the card refused opens nothing in the next script', async () => {
  const [device] = devices;
  assert.ok(device);
  const channel = supplier.openApduChannel();
  device.statusWord = Uint8Array.of(0x6a, 0x82);
  channel.send({ endpoint: meter.endpoint, commands: [select] });
  assert.equal((await channel.responses.next()).value?.responses.length, 1);
  device.statusWord = Uint8Array.of(0x90, 0x00);
  channel.send({ commands: [plain] });
  await assert.rejects(channel.responses.next(), FORBIDDEN);
});

test('everything else is refused, and every refusal is a record', async () => {
  const { endpoint } = meter;
  await assert.rejects(supplier.read({ endpoint, path: '/0/0/5' }), FORBIDDEN);
  await assert.rejects(supplier.read({ endpoint: obu.endpoint, path: '/3/0/0' }), FORBIDDEN);
  await assert.rejects(supplier.write({ endpoint, path: '/3/0/15', senmlJson: '[]' }), FORBIDDEN);
  await assert.rejects(supplier.getRegistration({ endpoint: obu.endpoint }), FORBIDDEN);
  await assert.rejects(supplier.getStatistics({}), FORBIDDEN);
  await assert.rejects(supplier.exchangeApdus({ endpoint, commands: [plain] }), FORBIDDEN);
  await assert.rejects(supplier.exchangeApdus({ endpoint, commands: [select, other] }), FORBIDDEN);
  await assert.rejects(
    supplier.startCampaign({
      campaignId: 'all',
      operation: { operation: { case: 'execute', value: { path: '/3/0/4' } } },
    }),
    FORBIDDEN,
  );
  await assert.rejects(supplier.listAuditRecords({}), FORBIDDEN);
  const { records } = await bench.client.listAuditRecords({ caller: 'northern-power' });
  assert.equal(records.length, 10);
  assert.deepEqual([records[8]?.operation, records[8]?.path], ['read', '/0/0/5']);
});

test('a device is no caller, although one authority signed both', async () => {
  const device = await bench.clientOf(meter.endpoint);
  await assert.rejects(device.listRegistrations({}), FORBIDDEN);
  device.close();
});

test('a certificate of no service is refused, and that is a record, too', async () => {
  const issued = await bench.issueCertificate(meter.endpoint, 'sefleet smart-meter');
  const tls = {
    authority: readFileSync(join(bench.folder, 'ca.pem')),
    certificate: Buffer.from(issued.certificatePem),
    privateKey: Buffer.from(issued.privateKeyPem),
  };
  const device = createGrpcClient(management.DeviceManagementService, bench.target, tls);
  await assert.rejects(device.read({ endpoint: meter.endpoint, path: '/3/0' }), {
    code: 'GRPC_CALLER_FORBIDDEN',
  });
  device.close();
  const { records } = await bench.client.listAuditRecords({ pageSize: 1 });
  const [{ caller, operation, reason } = {}] = records;
  assert.deepEqual([caller, operation], [meter.endpoint, 'read']);
  assert.match(reason ?? '', /only services/);
});
