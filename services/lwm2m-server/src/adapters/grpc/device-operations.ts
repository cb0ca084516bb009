import { formatCode } from '@sefleet/coap';
import type { management } from '@sefleet/api';
import { Lwm2mPath } from '@sefleet/lwm2m';
import type { ContentFormat, ModelRegistry } from '@sefleet/lwm2m';
import type { OperationOptions } from '@sefleet/lwm2m-coap';
import type { CallContext, ServiceImplementation } from '@sefleet/service';
import {
  callerAttributes,
  contentFormatOf,
  callerPath,
  fromSenmlJson,
  toSenmlJson,
  writtenEntries,
} from '../../domain/senml.ts';
import type { DeviceAccess } from './device-access.ts';

type Service = ServiceImplementation<typeof management.DeviceManagementService>;
type SingleOperations = Pick<
  Service,
  'read' | 'write' | 'execute' | 'discover' | 'createInstance' | 'deleteInstance' | 'writeAttributes'
>;
type CompositeOperations = Pick<
  Service,
  'observe' | 'cancelObservation' | 'listObservations' | 'readComposite' | 'writeComposite'
>;

/** LwM2M operations on one node of one device, for callers. */
export function singleOperations(access: DeviceAccess, models: ModelRegistry): SingleOperations {
  return {
    read: async ({ endpoint, path: text, accept }, context) => {
      const path = callerPath(text);
      const result = await access
        .device(context, 'read', endpoint, [path])
        .read(path, formatOf(accept), bounds(context));
      const { payload, contentFormat = 0 } = result;
      return { ...coded(result), payload, contentFormat, senmlJson: toSenmlJson(result.entries, models) };
    },
    write: async ({ endpoint, path: text, senmlJson, partial, contentFormat }, context) => {
      const path = callerPath(text);
      const device = access.device(context, 'write', endpoint, [path]);
      const entries = writtenEntries(senmlJson, path, models);
      const options = { ...bounds(context), ...written(contentFormat) };
      return coded(await device.write(path, entries, partial ? 'update' : 'replace', options));
    },
    execute: async (request, context) => {
      const path = callerPath(request.path);
      const device = access.device(context, 'execute', request.endpoint, [path]);
      return coded(await device.execute(path, request.arguments, bounds(context)));
    },
    discover: async ({ endpoint, path: text }, context) => {
      const path = callerPath(text);
      const result = await access
        .device(context, 'discover', endpoint, [path])
        .discover(path, bounds(context));
      return { ...coded(result), linkFormat: result.linkFormat };
    },
    createInstance: async ({ endpoint, path: text, senmlJson, contentFormat }, context) => {
      const path = callerPath(text);
      const device = access.device(context, 'create', endpoint, [path]);
      const options = { ...bounds(context), ...written(contentFormat) };
      const result = await device.create(path, fromSenmlJson(senmlJson, path, models), options);
      return { ...coded(result), location: result.location ?? '' };
    },
    deleteInstance: async ({ endpoint, path: text }, context) => {
      const path = callerPath(text);
      return coded(await access.device(context, 'delete', endpoint, [path]).delete(path, bounds(context)));
    },
    writeAttributes: async ({ endpoint, path: text, attributes }, context) => {
      const path = callerPath(text);
      const device = access.device(context, 'attributes', endpoint, [path]);
      return coded(await device.writeAttributes(path, callerAttributes(attributes), bounds(context)));
    },
  };
}

/** LwM2M operations on several nodes of one device, and observations, for callers. */
export function compositeOperations(access: DeviceAccess, models: ModelRegistry): CompositeOperations {
  return {
    readComposite: async ({ endpoint, paths: texts }, context) => {
      const paths = texts.map(callerPath);
      const device = access.device(context, 'read', endpoint, paths);
      const result = await device.readComposite(paths, bounds(context));
      return { ...coded(result), senmlJson: toSenmlJson(result.entries, models) };
    },
    writeComposite: async ({ endpoint, senmlJson, contentFormat }, context) => {
      const entries = fromSenmlJson(senmlJson, Lwm2mPath.ROOT, models);
      const paths = entries.map(({ path }) => path);
      const device = access.device(context, 'write', endpoint, paths);
      const options = { ...bounds(context), ...written(contentFormat) };
      return coded(await device.writeComposite(entries, options));
    },
    observe: async ({ endpoint, path, furtherPaths }, context) => {
      const paths = [path, ...furtherPaths].map(callerPath);
      const device = access.device(context, 'observe', endpoint, paths);
      return coded(await device.observe(paths, bounds(context)));
    },
    cancelObservation: async ({ endpoint, path, furtherPaths }, context) => {
      const paths = [path, ...furtherPaths].map(callerPath);
      const cancelled = await access.device(context, 'observe', endpoint, paths).cancelObservation(paths);
      return { code: cancelled ? '2.05' : '4.04' };
    },
    listObservations: ({ endpoint }, context) => {
      const device = access.device(context, 'observe', endpoint);
      return { observations: device.observations().map((paths) => ({ paths: [...paths] })) };
    },
  };
}

function coded({ code }: { readonly code: number }): { readonly code: string } {
  return { code: formatCode(code) };
}

function bounds({ signal }: CallContext): OperationOptions {
  return { signal };
}

function formatOf(accept: number): ContentFormat | undefined {
  return accept === 0 ? undefined : contentFormatOf('accept', accept);
}

/** How a caller wants its values to be sent. */
function written(contentFormat: number | undefined): { readonly contentFormat?: ContentFormat } {
  if (contentFormat === undefined) return {};
  return { contentFormat: contentFormatOf('content_format', contentFormat) };
}
