/** Firmware of a running system: signed on the command line, rolled out by a campaign, checked by cards. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { management } from '@sefleet/api';
import { FIRMWARE_RESULT, FIRMWARE_STATE } from '@sefleet/lwm2m';
import { parseCommandLine } from '../../services/cli/src/command-line.ts';
import { firmwareSign } from '../../services/cli/src/verbs/firmware-sign.ts';
import { startFleet, startSystem, until, untilRegistered, type RunningSystem } from './running-system.ts';

const FLEET = { meters: 4, obus: 1, gateways: 1 };
const METERS = [1, 2, 3, 4].map((number) => `urn:dev:sefleet:meter-00000${number}`);

let system: RunningSystem;

before(async () => {
  system = await startSystem();
  await startFleet(system.backend, FLEET);
});

after(() => system.stop());

/** Signs with the key that the factory made for this installation. */
async function signed(number: number, version: string): Promise<Uint8Array> {
  const { dataFolder } = system.layout;
  const [payload, out] = [join(dataFolder, 'app.bin'), join(dataFolder, 'app.fw')];
  writeFileSync(payload, Buffer.alloc(30_000, version));
  const key = join(dataFolder, 'provisioning', 'firmware.key');
  const options = ['--kind', 'smart-meter', '--number', `${number}`, '--version', version];
  const line = ['firmware', 'sign', payload, ...options, '--key', key, '--out', out];
  await firmwareSign.run(parseCommandLine([firmwareSign], line).parsed);
  return Uint8Array.from(readFileSync(out));
}

/** Rolls an image out; what came of each device when all are done. */
async function rollOut(
  campaignId: string,
  image: Uint8Array,
  pull: boolean,
): Promise<readonly management.CampaignResult[]> {
  const { backend } = system;
  const operation = { operation: { case: 'firmware' as const, value: { image, pull } } };
  await backend.management.startCampaign({ campaignId, operation, endpoints: METERS });
  await until(`campaign ${campaignId}`, async () => {
    const { campaign } = await backend.management.getCampaign({ campaignId });
    return campaign?.state === management.CampaignState.ENDED;
  });
  return (await backend.management.listCampaignResults({ campaignId })).results;
}

async function versions(): Promise<readonly string[]> {
  const shown = METERS.map(async (endpoint) => {
    const { senmlJson } = await system.backend.management.read({ endpoint, path: '/3/0/3' });
    return /"vs":"([^"]*)"/.exec(senmlJson)?.[1] ?? senmlJson;
  });
  return Promise.all(shown);
}

/** Waits for them all to show `version`: after an update they restart. */
async function untilAllRun(version: string): Promise<void> {
  await until(`version ${version}`, async () => (await versions()).every((shown) => shown === version));
}

const all = (text: string): readonly string[] => METERS.map(() => text);

test('an image that the factory signed is pushed to every meter and runs', async () => {
  const results = await rollOut('push', await signed(2, '2.0.0'), false);
  assert.deepEqual(
    results.map(({ error }) => error),
    all(''),
  );
  await untilAllRun('2.0.0');
});

test('an image is fetched over DTLS with keys of the card and runs', async () => {
  const results = await rollOut('pull', await signed(3, '3.0.0'), true);
  assert.deepEqual(
    results.map(({ error }) => error),
    all(''),
  );
  await untilAllRun('3.0.0');
});

test('a damaged image and an older one change nothing', async () => {
  const good = await signed(4, '4.0.0');
  const damaged = good.with(-1, (good.at(-1) ?? 0) ^ 1);
  for (const [id, image] of [
    ['damaged', damaged],
    ['older', await signed(2, '2.0.0')],
  ] as const) {
    const results = await rollOut(id, image, false);
    assert.deepEqual(
      results.map(({ error }) => error),
      all('LWM2M_FIRMWARE_FAILED'),
    );
    await untilAllRun('3.0.0');
  }
});

async function killSimulator(): Promise<void> {
  const pid = system.supervisor.pids().get('device-sim');
  assert.ok(pid !== undefined);
  process.kill(pid, 'SIGKILL');
  await until('device-sim is back', () => {
    const now = system.supervisor.pids().get('device-sim');
    return Promise.resolve(now !== undefined && now !== pid);
  });
  await untilRegistered(system.backend, FLEET.meters + FLEET.obus + FLEET.gateways);
}

test('kill -9 of the simulator keeps what the devices run', async () => {
  await killSimulator();
  await untilAllRun('3.0.0');
});

test('kill -9 in the middle of an update leaves the old firmware, and Update works again', async () => {
  const { backend } = system;
  const operation = { operation: { case: 'firmware' as const, value: { image: await signed(5, '5.0.0') } } };
  const [endpoint = ''] = METERS;
  const shows = async (path: string): Promise<number> => {
    const { senmlJson } = await backend.management.read({ endpoint, path });
    return Number(/"v":(\d+)/.exec(senmlJson)?.[1]);
  };
  await backend.management.startCampaign({
    campaignId: 'cut',
    operation,
    endpoints: [endpoint],
    attempts: 1,
  });
  await until('the update is under way', async () => (await shows('/5/0/3')) === FIRMWARE_STATE.UPDATING);
  await killSimulator();
  await untilAllRun('3.0.0');
  assert.equal(await shows('/5/0/3'), FIRMWARE_STATE.DOWNLOADED);
  assert.equal(await shows('/5/0/5'), FIRMWARE_RESULT.UPDATE_FAILED);
  assert.equal((await backend.management.execute({ endpoint, path: '/5/0/2' })).code, '2.04');
  await until('the new firmware runs', async () => (await versions())[0] === '5.0.0');
  await until('success is told', async () => (await shows('/5/0/5')) === FIRMWARE_RESULT.SUCCESS);
});
