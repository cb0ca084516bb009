import type { management } from '@sefleet/api';
import type { ModelRegistry } from '@sefleet/lwm2m';
import type { Timers } from '@sefleet/runtime';
import type { ServiceImplementation } from '@sefleet/service';
import { readDeviceTree } from '../../domain/device-tree.ts';
import { serviceError } from '../../errors.ts';
import type { DeviceAccess } from './device-access.ts';

type Service = ServiceImplementation<typeof management.DeviceManagementService>;

/** The whole tree of one device, for callers that may discover it and, for values, read it. */
export function deviceTreeOperation(
  access: DeviceAccess,
  models: ModelRegistry,
  timers: Timers,
): Pick<Service, 'getDeviceTree'> {
  return {
    getDeviceTree: ({ endpoint, depth: asked, values }, context) => {
      const depth = depthOf(asked);
      if (values && depth !== 3) throw serviceError('LWM2M_REQUEST_INVALID', 'values need depth 3');
      if (values) access.checkEndpoint(context, 'read', endpoint, []);
      return readDeviceTree({
        device: access.device(context, 'discover', endpoint),
        depth,
        values,
        check: (operation, path) => access.checkEndpoint(context, operation, endpoint, [path]),
        models,
        timers,
        signal: context.signal,
      });
    },
  };
}

function depthOf(asked: number): 1 | 2 | 3 {
  if (asked === 1 || asked === 2) return asked;
  if (asked === 0 || asked === 3) return 3;
  throw serviceError('LWM2M_REQUEST_INVALID', `depth ${asked} is none of 0 to 3`);
}
