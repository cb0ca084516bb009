import {
  AttributeStore,
  announceEndDevice,
  endDeviceInstance,
  endDeviceLinks,
  GATEWAY_RESOURCE,
} from '@sefleet/lwm2m';
import type { ObjectTree } from '@sefleet/lwm2m';

/** Told of a change in an end device's tree; without an instance id, instances came or went. */
type Changed = (objectId: number, instanceId: number | undefined, resourceId: number | undefined) => void;

/** The end devices behind a gateway; a device that is none pays one field for it. */
export class EndDevices {
  #trees: Map<string, ObjectTree> | undefined;
  readonly #attributes = new WeakMap<ObjectTree, AttributeStore>();

  /** By prefix; undefined when there never was one. */
  get trees(): ReadonlyMap<string, ObjectTree> | undefined {
    return this.#trees;
  }

  /** What servers have set on the nodes of one of them. */
  attributesOf(endDevice: ObjectTree): AttributeStore {
    const known = this.#attributes.get(endDevice) ?? new AttributeStore();
    this.#attributes.set(endDevice, known);
    return known;
  }

  attach(
    gateway: ObjectTree,
    deviceId: string,
    prefix: string,
    endDevice: ObjectTree,
    changed: Changed,
  ): void {
    announceEndDevice(gateway, deviceId, prefix, endDevice);
    this.#trees ??= new Map();
    this.#trees.set(prefix, endDevice);
    endDevice.listener = {
      valueChanged: changed,
      instancesChanged: (objectId) => {
        endDeviceInstance(gateway, prefix)?.set(GATEWAY_RESOURCE.DEVICE_OBJECTS, endDeviceLinks(endDevice));
        changed(objectId, undefined, undefined);
      },
    };
  }

  detach(gateway: ObjectTree, prefix: string): void {
    const endDevice = this.#trees?.get(prefix);
    if (endDevice === undefined) return;
    endDevice.listener = undefined;
    this.#trees?.delete(prefix);
    const instance = endDeviceInstance(gateway, prefix);
    instance?.object.remove(instance.id);
  }
}
