import { createHash } from 'node:crypto';
import { lwm2mError, type ObjectBehaviour, type ObjectInstance } from '@sefleet/lwm2m';
import type { DeviceOwner } from './device-owner.ts';

/** Resources of Firmware Update (Core appendix E.6). */
export const FIRMWARE_RESOURCE = {
  PACKAGE: 0,
  PACKAGE_URI: 1,
  UPDATE: 2,
  STATE: 3,
  UPDATE_RESULT: 5,
  NAME: 6,
  VERSION: 7,
  PROTOCOL_SUPPORT: 8,
  DELIVERY_METHOD: 9,
} as const;
/** Values of resource 3. */
export const FIRMWARE_STATE = { IDLE: 0, DOWNLOADING: 1, DOWNLOADED: 2, UPDATING: 3 } as const;
/** Values of resource 5. */
export const FIRMWARE_RESULT = {
  INITIAL: 0,
  SUCCESS: 1,
  INTEGRITY_FAILED: 5,
  UNSUPPORTED_PACKAGE: 6,
  INVALID_URI: 7,
} as const;

/** Smallest package that is taken for one: anything shorter is no image. */
const PACKAGE_BYTES_MIN = 16;
const RESULT = FIRMWARE_RESOURCE.UPDATE_RESULT;
const STATE = FIRMWARE_RESOURCE.STATE;

/**
 * The state machine of object 5: a package is pushed, checked and kept by its hash, Update applies it with a
 * reboot. The image itself runs nowhere.
 */
export const FIRMWARE_BEHAVIOUR: ObjectBehaviour<DeviceOwner> = {
  write: (instance, resourceId, value) => {
    if (resourceId === FIRMWARE_RESOURCE.PACKAGE_URI) {
      // Pull is not offered (resource 9 says push); an empty URI resets like an empty package.
      if (value === '') reset(instance);
      else settle(instance, FIRMWARE_STATE.IDLE, FIRMWARE_RESULT.INVALID_URI);
      return 'handled';
    }
    if (resourceId !== FIRMWARE_RESOURCE.PACKAGE || !(value instanceof Uint8Array)) return 'store';
    receive(instance, value);
    return 'handled';
  },
  execute: (instance, resourceId) => {
    if (resourceId !== FIRMWARE_RESOURCE.UPDATE || instance.get(STATE) !== FIRMWARE_STATE.DOWNLOADED) {
      throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', 'there is no downloaded package to apply');
    }
    instance.set(STATE, FIRMWARE_STATE.UPDATING);
    instance.set(RESULT, FIRMWARE_RESULT.SUCCESS);
    instance.set(STATE, FIRMWARE_STATE.IDLE);
    instance.owner.reboot();
  },
};

function receive(instance: ObjectInstance<DeviceOwner>, image: Uint8Array): void {
  if (image.length === 0 || (image.length === 1 && image[0] === 0)) {
    reset(instance);
    return;
  }
  if (instance.get(STATE) !== FIRMWARE_STATE.IDLE) {
    throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', 'a package is there; an empty one resets');
  }
  if (image.length < PACKAGE_BYTES_MIN) {
    settle(instance, FIRMWARE_STATE.IDLE, FIRMWARE_RESULT.UNSUPPORTED_PACKAGE);
    return;
  }
  const hash = createHash('sha256').update(image).digest('hex');
  instance.set(FIRMWARE_RESOURCE.VERSION, `sha256:${hash.slice(0, 16)}`);
  settle(instance, FIRMWARE_STATE.DOWNLOADED, FIRMWARE_RESULT.INITIAL);
}

function reset(instance: ObjectInstance<DeviceOwner>): void {
  settle(instance, FIRMWARE_STATE.IDLE, FIRMWARE_RESULT.INITIAL);
}

function settle(instance: ObjectInstance<DeviceOwner>, state: number, result: number): void {
  instance.set(STATE, state);
  instance.set(RESULT, result);
}
