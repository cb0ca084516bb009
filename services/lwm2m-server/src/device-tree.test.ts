import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ServerBench } from './testing/server-bench.ts';
import type { KnownDevice } from './testing/server-bench.ts';
import { SoftwareDevice } from './testing/software-device.ts';

const folder = mkdtempSync(join(tmpdir(), 'sefleet-tree-'));
const RULES = {
  callers: {
    cli: {},
    'northern-power': { operations: ['discover', 'read'], objects: [3] },
    surveyor: { operations: ['discover'] },
  },
};
const FORBIDDEN = { code: 'LWM2M_ACCESS_FORBIDDEN' };

let bench: ServerBench;
let meter: KnownDevice;
let device: SoftwareDevice;

before(async () => {
  const file = join(folder, 'access.json');
  writeFileSync(file, JSON.stringify(RULES));
  bench = await ServerBench.start({ SEFLEET_LWM2M_ACCESS: file });
  meter = bench.addDevice('meter-1');
  device = new SoftwareDevice(meter).withManagementAccount(bench.lwm2mPort, meter);
  await device.client.start();
});
after(async () => {
  await device.powerOff();
  await bench.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('asks for the resources of every object and for their values', async () => {
  const { endpoint } = meter;
  const { registration } = await bench.client.getRegistration({ endpoint });
  const { objects, truncated } = await bench.client.getDeviceTree({ endpoint, values: true });
  assert.equal(truncated, false);
  const ids = (registration?.objects ?? []).map((path) => Number(path.split('/')[1]));
  assert.deepEqual(
    objects.map(({ objectId }) => objectId),
    [...new Set(ids)],
  );
  const own = objects.find(({ objectId }) => objectId === 3);
  assert.deepEqual([own?.discoverCode, own?.readCode, own?.error], ['2.05', '2.05', '']);
  const paths = own?.nodes.map(({ path }) => path);
  assert.ok(paths?.includes('/3/0') === true && paths.includes('/3/0/13'));
  assert.equal(own?.nodes.find(({ path }) => path === '/3/0/11')?.attributes['dim'], '1');
  assert.match(own?.senmlJson ?? '', /"\/3\/0\/0","vs":"sefleet"/);
});

test('tells what is registered without asking the device', async () => {
  const { endpoint } = meter;
  const instances = await bench.client.getDeviceTree({ endpoint, depth: 2 });
  const own = instances.objects.find(({ objectId }) => objectId === 3);
  assert.deepEqual([own?.nodes.map(({ path }) => path), own?.discoverCode], [['/3/0'], '']);
  const { objects } = await bench.client.getDeviceTree({ endpoint, depth: 1 });
  assert.ok(objects.every(({ nodes }) => nodes.length === 0));
  const invalid = { code: 'LWM2M_REQUEST_INVALID' };
  await assert.rejects(bench.client.getDeviceTree({ endpoint, depth: 4 }), invalid);
  await assert.rejects(bench.client.getDeviceTree({ endpoint, depth: 1, values: true }), invalid);
  await assert.rejects(bench.client.getDeviceTree({ endpoint: 'nobody' }), {
    code: 'LWM2M_DEVICE_NOT_FOUND',
  });
});

test('keeps an error with the object that has it', async () => {
  const { endpoint } = meter;
  const supplier = await bench.clientOf('northern-power');
  const { objects } = await supplier.getDeviceTree({ endpoint, values: true });
  supplier.close();
  for (const { objectId, error, nodes, senmlJson } of objects) {
    assert.equal(error, objectId === 3 ? '' : FORBIDDEN.code);
    assert.equal(nodes.length > 0 && senmlJson !== '', objectId === 3);
  }
  const surveyor = await bench.clientOf('surveyor');
  await assert.rejects(surveyor.getDeviceTree({ endpoint, values: true }), FORBIDDEN);
  assert.ok((await surveyor.getDeviceTree({ endpoint })).objects.every(({ error }) => error === ''));
  surveyor.close();
});
