import { formatCode } from '@sefleet/coap';
import type { management } from '@sefleet/api';
import { isContentFormat } from '@sefleet/lwm2m';
import type { ContentFormat, ModelRegistry } from '@sefleet/lwm2m';
import type { Lwm2mServer, OperationOptions } from '@sefleet/lwm2m-coap';
import type { CallContext, ServiceImplementation } from '@sefleet/service';
import { serviceError } from '../../errors.ts';
import { callerPath, fromSenmlJson, toSenmlJson } from './senml.ts';

type Operations = Pick<
  ServiceImplementation<typeof management.DeviceManagementService>,
  'read' | 'write' | 'execute' | 'discover' | 'observe' | 'cancelObservation'
>;

/** LwM2M operations on one device, for callers. */
export function deviceOperations(server: Lwm2mServer, models: ModelRegistry): Operations {
  return {
    read: async ({ endpoint, path, accept }, context) => {
      const result = await server.device(endpoint).read(callerPath(path), formatOf(accept), bounds(context));
      return {
        code: formatCode(result.code),
        senmlJson: toSenmlJson(result.entries, models),
        payload: result.payload,
        contentFormat: result.contentFormat ?? 0,
      };
    },
    write: async ({ endpoint, path: text, senmlJson, partial }, context) => {
      const path = callerPath(text);
      const entries = fromSenmlJson(senmlJson, path, models);
      const mode = partial ? 'update' : 'replace';
      const { code } = await server.device(endpoint).write(path, entries, mode, bounds(context));
      return { code: formatCode(code) };
    },
    execute: async (request, context) => {
      const device = server.device(request.endpoint);
      const { code } = await device.execute(callerPath(request.path), request.arguments, bounds(context));
      return { code: formatCode(code) };
    },
    discover: async ({ endpoint, path }, context) => {
      const result = await server.device(endpoint).discover(callerPath(path), bounds(context));
      return { code: formatCode(result.code), linkFormat: result.linkFormat };
    },
    observe: async ({ endpoint, path }, context) => {
      const { code } = await server.device(endpoint).observe([callerPath(path)], bounds(context));
      return { code: formatCode(code) };
    },
    cancelObservation: async ({ endpoint, path }) => {
      const cancelled = await server.device(endpoint).cancelObservation([callerPath(path)]);
      return { code: cancelled ? '2.05' : '4.04' };
    },
  };
}

function bounds({ signal }: CallContext): OperationOptions {
  return { signal };
}

function formatOf(accept: number): ContentFormat | undefined {
  if (accept === 0) return undefined;
  if (isContentFormat(accept)) return accept;
  throw serviceError('LWM2M_REQUEST_INVALID', `accept ${accept} is no content format of LwM2M`);
}
