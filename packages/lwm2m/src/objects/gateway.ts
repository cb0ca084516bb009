import { encodeLinks } from '../content/links.ts';
import { registrationLinks } from '../device/discover.ts';
import type { ObjectInstance, ObjectTree } from '../device/object-tree.ts';
import { lwm2mError } from '../errors.ts';

/** LwM2M Gateway, object 25, and LwM2M Gateway Routing, object 26. */
export const GATEWAY_OBJECT_ID = { GATEWAY: 25, ROUTING: 26 } as const;
/** Resources of object 25. */
export const GATEWAY_RESOURCE = { DEVICE_ID: 0, PREFIX: 1, DEVICE_OBJECTS: 3 } as const;

/** A prefix is one path segment and must not be taken for an object id (Gateway 1.1 §6). */
const PREFIX = /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/;

/**
 * Announces an end device in object 25 of its gateway: an instance with its id, its prefix and its objects.
 *
 * @param endDevice the objects of the end device
 * @returns the new instance
 * @throws SefleetError `LWM2M_BAD_REQUEST` for a prefix that cannot be one, `LWM2M_CONFLICT` for one that is
 * taken
 */
export function announceEndDevice(
  gateway: ObjectTree,
  deviceId: string,
  prefix: string,
  endDevice: ObjectTree,
): ObjectInstance {
  if (!PREFIX.test(prefix)) throw lwm2mError('LWM2M_BAD_REQUEST', 'not a prefix', { context: { prefix } });
  if (endDeviceInstance(gateway, prefix) !== undefined) {
    throw lwm2mError('LWM2M_CONFLICT', 'the prefix is taken', { context: { prefix } });
  }
  const object = gateway.require(GATEWAY_OBJECT_ID.GATEWAY);
  return object.add(object.freeInstanceId(), [
    [GATEWAY_RESOURCE.DEVICE_ID, deviceId],
    [GATEWAY_RESOURCE.PREFIX, prefix],
    [GATEWAY_RESOURCE.DEVICE_OBJECTS, endDeviceLinks(endDevice)],
  ]);
}

/** The instance of object 25 that stands for the end device with that prefix. */
export function endDeviceInstance(gateway: ObjectTree, prefix: string): ObjectInstance | undefined {
  for (const instance of gateway.objects.get(GATEWAY_OBJECT_ID.GATEWAY)?.instances.values() ?? []) {
    if (instance.get(GATEWAY_RESOURCE.PREFIX) === prefix) return instance;
  }
  return undefined;
}

/** Objects and instances of an end device, in the form that a registration has them. */
export function endDeviceLinks(endDevice: ObjectTree): string {
  return Buffer.from(encodeLinks(registrationLinks(endDevice))).toString('utf8');
}
