import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CODE, createCoapEndpoint } from '@sefleet/coap';
import { FIRMWARE_RESULT, FIRMWARE_STATE, Lwm2mPath } from '@sefleet/lwm2m';
import type { RegisteredDevice } from '@sefleet/lwm2m-coap';
import { Fleet, type FleetPorts } from '../fleet/fleet.ts';
import { planFleet } from '../fleet/fleet-plan.ts';
import { DEFAULT_CONNECTIVITY } from './connectivity.ts';
import { CLEAR_NETWORK } from '../network/network-conditions.ts';
import { testFirmware } from '../testing/test-firmware.ts';
import { TestWorld } from '../testing/test-world.ts';

const METER = 'urn:dev:sefleet:meter-000001';
const REPOSITORY = '10.0.9.1';
const { IDLE, DOWNLOADING, DOWNLOADED, UPDATING } = FIRMWARE_STATE;
const at = (resource: number): Lwm2mPath => Lwm2mPath.parse(`/5/0/${resource}`);
const PAYLOAD = Uint8Array.from({ length: 20_000 }, (_, i) => (i * 7) & 0xff);
const PLAN = planFleet({
  kinds: [{ kind: 'smart-meter', count: 1, readingIntervalMs: 60_000 }],
  seed: 3n,
  startRate: 0,
  timeCompression: 1,
  virtualStartMs: 0,
  network: CLEAR_NETWORK,
  connectivity: DEFAULT_CONNECTIVITY,
});

/** A meter, its servers and a firmware repository. */
class FirmwareWorld {
  readonly world: TestWorld;
  ports: FleetPorts;
  fleet: Fleet;
  readonly folders: string[] = [];

  private constructor(seed: number) {
    this.world = new TestWorld(seed);
    this.world.startServers();
    this.ports = this.world.ports();
    this.fleet = this.#switchOn('start');
  }

  static async with(seed: number, run: (world: FirmwareWorld) => Promise<void>): Promise<void> {
    const world = new FirmwareWorld(seed);
    await world.registered();
    await run(world);
    await world.settle(world.fleet.powerOff());
    world.ports.store.close();
    for (const folder of [world.world.folder, ...world.folders]) rmSync(folder, { recursive: true });
  }

  get meter(): RegisteredDevice {
    assert.ok(this.world.management);
    return this.world.management.device(METER);
  }

  async registered(): Promise<void> {
    const up = (): boolean => this.fleet.metrics.counts('smart-meter').registered === 1;
    assert.ok(await this.world.runtime.runUntil(up, 120_000));
  }

  serve(image: Uint8Array): void {
    createCoapEndpoint({
      channel: this.world.network.bind(REPOSITORY, 5683),
      runtime: this.world.runtime,
      handler: ({ path }) =>
        path === '/meter.fw' ? { code: CODE.CONTENT, payload: image } : { code: CODE.NOT_FOUND },
    });
  }

  async push(image: Uint8Array): Promise<void> {
    assert.equal((await this.settle(this.meter.writeOpaque(at(0), image))).code, CODE.CHANGED);
  }

  async pull(uri: string): Promise<void> {
    const written = await this.settle(this.meter.write(at(1), [{ path: at(1), value: uri }], 'replace'));
    assert.equal(written.code, CODE.CHANGED);
  }

  async update(): Promise<void> {
    assert.equal((await this.settle(this.meter.execute(at(2)))).code, CODE.CHANGED);
  }

  /** State, result and the version that runs. */
  async shows(): Promise<unknown[]> {
    const values: unknown[] = [];
    for (const path of ['/5/0/3', '/5/0/5', '/3/0/3']) {
      const { entries } = await this.settle(this.meter.read(Lwm2mPath.parse(path)));
      values.push(entries[0]?.value);
    }
    return values;
  }

  /** What is on disk now is what the next process finds; the last words of this one are lost. */
  async cutPower(): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), 'sefleet-firmware-'));
    this.folders.push(folder);
    cpSync(this.world.folder, folder, { recursive: true });
    await this.settle(this.fleet.powerOff());
    this.ports.store.close();
    this.ports = this.world.ports(folder);
    this.fleet = this.#switchOn('resume');
    await this.registered();
  }

  /** Lets virtual time pass until `promise` settles. */
  async settle<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    promise.then(
      () => (settled = true),
      () => (settled = true),
    );
    await this.world.runtime.runUntil(() => settled, 240_000);
    return promise;
  }

  #switchOn(how: 'start' | 'resume'): Fleet {
    const fleet = new Fleet(PLAN, this.ports, {
      startConcurrency: 1,
      handshakeConcurrency: 1,
      keepAliveMs: 30_000,
      awakeTimeMs: 93_000,
      sessionCertificateMinutes: 60,
      cipherSuite: 'TLS_PSK_WITH_AES_128_CCM_8',
    });
    void fleet.switchOn(how);
    return fleet;
  }
}

test('a pushed image that the card finds genuine is applied and shows its version', () =>
  FirmwareWorld.with(21, async (world) => {
    assert.deepEqual(await world.shows(), [IDLE, FIRMWARE_RESULT.INITIAL, '1.0.0']);
    assert.equal((await world.settle(world.meter.execute(at(2)))).code, CODE.METHOD_NOT_ALLOWED);
    await world.push(testFirmware(PAYLOAD));
    assert.deepEqual(await world.shows(), [DOWNLOADED, FIRMWARE_RESULT.INITIAL, '1.0.0']);
    await world.update();
    assert.deepEqual((await world.shows()).slice(0, 1), [UPDATING]);
    await world.world.runtime.advance(5000);
    await world.registered();
    assert.deepEqual(await world.shows(), [IDLE, FIRMWARE_RESULT.SUCCESS, '2.0.0']);
    assert.equal(world.fleet.metrics.errors.get('device.reboots'), 1);
    await world.cutPower();
    assert.deepEqual(await world.shows(), [IDLE, FIRMWARE_RESULT.SUCCESS, '2.0.0']);
  }));

test('an image is fetched block by block from a repository and applied', () =>
  FirmwareWorld.with(22, async (world) => {
    world.serve(testFirmware(PAYLOAD, { versionNumber: 3, version: '3.1.0' }));
    await world.pull(`coap://${REPOSITORY}/meter.fw`);
    await world.world.runtime.advance(20_000);
    assert.deepEqual(await world.shows(), [DOWNLOADED, FIRMWARE_RESULT.INITIAL, '1.0.0']);
    await world.update();
    await world.world.runtime.advance(5000);
    await world.registered();
    assert.deepEqual(await world.shows(), [IDLE, FIRMWARE_RESULT.SUCCESS, '3.1.0']);
  }));

test('an image that is forged, damaged or for another kind is refused', () =>
  FirmwareWorld.with(23, async (world) => {
    const good = testFirmware(PAYLOAD);
    const signatureAt = good.length - PAYLOAD.length - 1;
    const flip = (index: number): Uint8Array => good.with(index, (good[index] ?? 0) ^ 1);
    const { INTEGRITY_CHECK_FAILED, UNSUPPORTED_PACKAGE } = FIRMWARE_RESULT;
    const cases: readonly (readonly [Uint8Array, number])[] = [
      [flip(signatureAt), INTEGRITY_CHECK_FAILED],
      [flip(20), INTEGRITY_CHECK_FAILED],
      [flip(good.length - 1), INTEGRITY_CHECK_FAILED],
      [testFirmware(PAYLOAD, { payloadHash: new Uint8Array(32) }), INTEGRITY_CHECK_FAILED],
      [testFirmware(PAYLOAD, { kind: 'obu' }), UNSUPPORTED_PACKAGE],
      [good.subarray(0, -1), UNSUPPORTED_PACKAGE],
      [Uint8Array.of(1, 2, 3), UNSUPPORTED_PACKAGE],
    ];
    for (const [image, result] of cases) {
      await world.push(image);
      assert.deepEqual(await world.shows(), [IDLE, result, '1.0.0']);
      assert.equal((await world.settle(world.meter.execute(at(2)))).code, CODE.METHOD_NOT_ALLOWED);
    }
  }));

test('older firmware than the one that runs is refused, signed or not', () =>
  FirmwareWorld.with(24, async (world) => {
    await world.push(testFirmware(PAYLOAD, { versionNumber: 5, version: '5.0.0' }));
    await world.update();
    await world.world.runtime.advance(5000);
    await world.registered();
    await world.push(testFirmware(PAYLOAD, { versionNumber: 4, version: '4.0.0' }));
    assert.deepEqual(await world.shows(), [IDLE, FIRMWARE_RESULT.UPDATE_FAILED, '5.0.0']);
    await world.cutPower();
    await world.push(testFirmware(PAYLOAD, { versionNumber: 4, version: '4.0.0' }));
    assert.deepEqual(await world.shows(), [IDLE, FIRMWARE_RESULT.UPDATE_FAILED, '5.0.0']);
  }));

test('power cut during a download: the download is lost, and said so', () =>
  FirmwareWorld.with(25, async (world) => {
    await world.pull(`coap://${REPOSITORY}/meter.fw`);
    assert.deepEqual(await world.shows(), [DOWNLOADING, FIRMWARE_RESULT.INITIAL, '1.0.0']);
    await world.cutPower();
    assert.deepEqual(await world.shows(), [IDLE, FIRMWARE_RESULT.CONNECTION_LOST, '1.0.0']);
  }));

test('power cut with a package there: it can be applied afterwards', () =>
  FirmwareWorld.with(26, async (world) => {
    await world.push(testFirmware(PAYLOAD));
    await world.cutPower();
    assert.deepEqual(await world.shows(), [DOWNLOADED, FIRMWARE_RESULT.INITIAL, '1.0.0']);
    await world.update();
    await world.world.runtime.advance(5000);
    await world.registered();
    assert.deepEqual(await world.shows(), [IDLE, FIRMWARE_RESULT.SUCCESS, '2.0.0']);
  }));

test('power cut in the middle of an update: the old firmware runs, the package can be tried again', () =>
  FirmwareWorld.with(27, async (world) => {
    await world.push(testFirmware(PAYLOAD));
    await world.update();
    await world.world.runtime.advance(1000);
    await world.cutPower();
    await world.world.runtime.advance(5000);
    assert.deepEqual(await world.shows(), [DOWNLOADED, FIRMWARE_RESULT.UPDATE_FAILED, '1.0.0']);
    await world.update();
    await world.world.runtime.advance(5000);
    await world.registered();
    assert.deepEqual(await world.shows(), [IDLE, FIRMWARE_RESULT.SUCCESS, '2.0.0']);
  }));

test('a repository that cannot be reached, and a URI that is none', () =>
  FirmwareWorld.with(28, async (world) => {
    await world.pull('nowhere');
    assert.deepEqual(await world.shows(), [IDLE, FIRMWARE_RESULT.INVALID_URI, '1.0.0']);
    await world.pull('https://10.0.9.1/meter.fw');
    assert.deepEqual(await world.shows(), [IDLE, FIRMWARE_RESULT.UNSUPPORTED_PROTOCOL, '1.0.0']);
    await world.pull(`coap://${REPOSITORY}/meter.fw`);
    await world.world.runtime.advance(120_000);
    assert.deepEqual(await world.shows(), [IDLE, FIRMWARE_RESULT.CONNECTION_LOST, '1.0.0']);
    await world.push(testFirmware(PAYLOAD));
    assert.deepEqual(await world.shows(), [DOWNLOADED, FIRMWARE_RESULT.INITIAL, '1.0.0']);
    await world.push(Uint8Array.of(0));
    await world.cutPower();
    assert.deepEqual(await world.shows(), [IDLE, FIRMWARE_RESULT.INITIAL, '1.0.0']);
  }));
