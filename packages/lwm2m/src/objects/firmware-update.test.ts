import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { executeResource } from '../device/lifecycle.ts';
import type { ObjectInstance } from '../device/object-tree.ts';
import { ObjectTree } from '../device/object-tree.ts';
import { writeEntries } from '../device/write.ts';
import { omaModels } from '../model/oma-models.ts';
import { Lwm2mPath } from '../model/path.ts';
import { FIRMWARE_RESULT, FIRMWARE_STATE, firmwareStep } from './firmware-machine.ts';
import type { FirmwareInput, FirmwareState } from './firmware-machine.ts';
import { firmwareDefaults, firmwareUpdateObject, recoverFirmware } from './firmware-update.ts';
import type { FirmwareHooks } from './firmware-update.ts';

const models = omaModels();
const GOOD = Uint8Array.of(0x47, 1, 2, 3);
const FORGED = Uint8Array.of(0x58, 1, 2, 3);

/** A device whose secure element takes packages that start with 'G'. */
class Device {
  works = true;
  applyEnds: ((applied: boolean) => void) | undefined;
  image: Promise<Uint8Array> = Promise.resolve(GOOD);
}
const hooks: FirmwareHooks<Device> = {
  protocols: [0, 1],
  packageBytesMax: 1000,
  download: (device) => device.image,
  verify: (_device, image) =>
    image[0] === 0x47
      ? { accepted: true, name: 'meter', version: '2.0' }
      : { accepted: false, result: FIRMWARE_RESULT.INTEGRITY_CHECK_FAILED },
  apply: (device) => new Promise((resolve) => (device.applyEnds = resolve)),
};

describe('firmware update', () => {
  let tree: ObjectTree<Device>;
  let instance: ObjectInstance<Device>;
  const state = (): unknown => instance.get(3);
  const result = (): unknown => instance.get(5);
  const at = (resource: number): Lwm2mPath => new Lwm2mPath(5, 0, resource);
  const push = async (value: Uint8Array): Promise<void> => {
    await writeEntries(tree, at(0), [{ path: at(0), value }], 'replace', 101);
  };
  const pull = async (value: string): Promise<void> => {
    await writeEntries(tree, at(1), [{ path: at(1), value }], 'replace', 101);
    await settle();
  };
  const execute = (resource: number): void => {
    void executeResource(tree, at(resource), new Map(), 101);
  };
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  beforeEach(() => {
    tree = new ObjectTree([firmwareUpdateObject(models, hooks)], new Device(), models);
    instance = tree.require(5).add(0, firmwareDefaults(hooks));
  });

  it('applies a package that was pushed and verified', async () => {
    await push(GOOD);
    assert.equal(state(), FIRMWARE_STATE.DOWNLOADED);
    assert.equal(instance.get(7), '2.0');
    execute(2);
    assert.equal(state(), FIRMWARE_STATE.UPDATING);
    await assert.rejects(push(GOOD), { code: 'LWM2M_METHOD_NOT_ALLOWED' });
    tree.owner.applyEnds?.(true);
    await settle();
    assert.deepEqual([state(), result()], [FIRMWARE_STATE.IDLE, FIRMWARE_RESULT.SUCCESS]);
  });

  it('refuses a package that the secure element refuses, and one too large', async () => {
    await push(FORGED);
    assert.deepEqual([state(), result()], [FIRMWARE_STATE.IDLE, FIRMWARE_RESULT.INTEGRITY_CHECK_FAILED]);
    assert.throws(() => execute(2), { code: 'LWM2M_METHOD_NOT_ALLOWED' });
    await assert.rejects(push(new Uint8Array(1001).fill(0x47)), { code: 'LWM2M_ENTITY_TOO_LARGE' });
    assert.deepEqual([state(), result()], [FIRMWARE_STATE.IDLE, FIRMWARE_RESULT.NOT_ENOUGH_FLASH]);
  });

  it('takes a package back', async () => {
    await push(GOOD);
    await push(new Uint8Array());
    assert.deepEqual(
      [state(), result(), instance.get(7)],
      [FIRMWARE_STATE.IDLE, FIRMWARE_RESULT.INITIAL, undefined],
    );
    await push(GOOD);
    execute(10);
    assert.deepEqual([state(), result()], [FIRMWARE_STATE.IDLE, FIRMWARE_RESULT.CANCELLED]);
  });

  it('gets a package from a URI', async () => {
    await pull('coaps://repository/meter-2.0');
    assert.equal(state(), FIRMWARE_STATE.DOWNLOADED);
    await pull('');
    assert.equal(state(), FIRMWARE_STATE.IDLE);
    await pull('ftp://repository/x');
    assert.equal(result(), FIRMWARE_RESULT.INVALID_URI);
    await pull('http://repository/x');
    assert.equal(result(), FIRMWARE_RESULT.UNSUPPORTED_PROTOCOL);
    tree.owner.image = Promise.reject(new RangeError('no route'));
    await pull('coap://repository/x');
    assert.deepEqual([state(), result()], [FIRMWARE_STATE.IDLE, FIRMWARE_RESULT.CONNECTION_LOST]);
  });

  it('survives a power cut while downloading and while updating', async () => {
    tree.owner.image = new Promise(() => {});
    await pull('coap://repository/x');
    recoverFirmware(instance, false);
    assert.deepEqual([state(), result()], [FIRMWARE_STATE.IDLE, FIRMWARE_RESULT.CONNECTION_LOST]);
    await push(GOOD);
    execute(2);
    recoverFirmware(instance, false);
    assert.deepEqual([state(), result()], [FIRMWARE_STATE.DOWNLOADED, FIRMWARE_RESULT.UPDATE_FAILED]);
    execute(2);
    recoverFirmware(instance, true);
    assert.deepEqual([state(), result()], [FIRMWARE_STATE.IDLE, FIRMWARE_RESULT.SUCCESS]);
  });

  it('updates only what was accepted, whatever the order of events', () => {
    const inputs: FirmwareInput[] = [
      'begin',
      'accepted',
      'rejected',
      'update',
      'applied',
      'apply-failed',
      'reset',
      'cancel',
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...inputs), { maxLength: 40 }), (events) => {
        let at: FirmwareState = FIRMWARE_STATE.IDLE;
        let accepted = false;
        for (const event of events) {
          const next = firmwareStep(at, event);
          if (next === undefined) continue;
          if (event === 'accepted') accepted = true;
          if (next.state === FIRMWARE_STATE.IDLE) accepted = false;
          assert.ok(next.state !== FIRMWARE_STATE.UPDATING || accepted);
          at = next.state;
        }
      }),
    );
  });
});
