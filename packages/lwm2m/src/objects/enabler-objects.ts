import { OBJECT_ID, SERVER_RESOURCE } from '../accounts/accounts.ts';
import type { ObjectBehaviour, ObjectDefinition } from '../device/object-tree.ts';
import { lwm2mError } from '../errors.ts';
import type { ModelRegistry } from '../model/model-registry.ts';

/** Executable resources of Device, object 3 (Core appendix E.4). */
export const DEVICE_RESOURCE = {
  REBOOT: 4,
  FACTORY_RESET: 5,
  RESET_ERROR_CODE: 12,
  ERROR_CODE: 11,
  CURRENT_TIME: 13,
} as const;

/** Versions up to which the client carries out what an object defines; newer ones are known, not served. */
const SERVED_VERSIONS: ReadonlyMap<number, string> = new Map([
  [OBJECT_ID.SERVER, '1.1'],
  [OBJECT_ID.FIRMWARE, '1.1'],
]);

/** The object as the registry defines it; throws `LWM2M_NOT_FOUND` when the registry has no such object. */
export function defineObject<Owner = unknown>(
  models: ModelRegistry,
  objectId: number,
  rest: Omit<ObjectDefinition<Owner>, 'model'> = {},
): ObjectDefinition<Owner> {
  const model = models.object(objectId, SERVED_VERSIONS.get(objectId));
  if (model === undefined) throw lwm2mError('LWM2M_NOT_FOUND', `no model of object ${objectId}`);
  return { model, ...rest };
}

/** How a kind of device behaves as a device; each hook gets the device. */
export interface DeviceHooks<Owner> {
  /** Reboot and factory reset come after the answer; the owner decides when. */
  reboot?(owner: Owner): void;
  factoryReset?(owner: Owner): void;
}

/**
 * The objects that every device has: Security, Server, Access Control and Device. What a fleet adds (5, 6,
 * its meters) goes beside them.
 */
export function enablerObjects<Owner>(
  models: ModelRegistry,
  hooks: DeviceHooks<Owner> = {},
): readonly ObjectDefinition<Owner>[] {
  return [
    defineObject<Owner>(models, OBJECT_ID.SECURITY),
    // The client itself carries out what is executed here.
    defineObject<Owner>(models, OBJECT_ID.SERVER, {
      supports: [SERVER_RESOURCE.DISABLE, SERVER_RESOURCE.UPDATE_TRIGGER, SERVER_RESOURCE.BOOTSTRAP_TRIGGER],
    }),
    defineObject<Owner>(models, OBJECT_ID.ACCESS_CONTROL),
    defineObject<Owner>(models, OBJECT_ID.DEVICE, {
      supports: [
        DEVICE_RESOURCE.REBOOT,
        ...(hooks.factoryReset === undefined ? [] : [DEVICE_RESOURCE.FACTORY_RESET]),
        DEVICE_RESOURCE.RESET_ERROR_CODE,
      ],
      behaviour: deviceBehaviour(hooks),
    }),
  ];
}

function deviceBehaviour<Owner>(hooks: DeviceHooks<Owner>): ObjectBehaviour<Owner> {
  return {
    execute(instance, resourceId) {
      switch (resourceId) {
        case DEVICE_RESOURCE.REBOOT:
          hooks.reboot?.(instance.owner);
          return;
        case DEVICE_RESOURCE.FACTORY_RESET:
          hooks.factoryReset?.(instance.owner);
          return;
        case DEVICE_RESOURCE.RESET_ERROR_CODE:
          // Core appendix E.4: one instance with value 0 is no error.
          instance.set(DEVICE_RESOURCE.ERROR_CODE, new Map([[0, 0]]));
          return;
        default:
          throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', 'not executable');
      }
    },
  };
}
