import type { management } from '@sefleet/api';
import { Lwm2mPath } from '@sefleet/lwm2m';
import type { ModelRegistry } from '@sefleet/lwm2m';
import type { CallerOperation } from '../../domain/access/access-rule.ts';
import type { Operation } from '../../domain/operations/operation.ts';
import {
  callerAttributes,
  callerPath,
  contentFormatOf,
  fromSenmlJson,
  writtenEntries,
} from '../../domain/senml.ts';
import { serviceError } from '../../errors.ts';

/** An operation of a caller, and what access rules have to grant for it. */
export interface CheckedOperation {
  readonly operation: Operation;
  readonly paths: readonly Lwm2mPath[];
  readonly needs: readonly CallerOperation[];
}

type Asked = NonNullable<management.Operation['operation']>;

const IMAGE_BYTES_MAX = 1_048_576;
const PATHS_MAX = 256;

/**
 * An operation checked as far as it can be without a device.
 *
 * @throws SefleetError `LWM2M_REQUEST_INVALID`
 */
export function toOperation(
  message: management.Operation | undefined,
  models: ModelRegistry,
): CheckedOperation {
  const asked: Asked | undefined = message?.operation;
  switch (asked?.case) {
    case 'read':
    case 'discover':
    case 'delete': {
      const { path } = asked.value;
      return { operation: { kind: asked.case, path }, paths: [callerPath(path)], needs: [asked.case] };
    }
    case 'observe':
    case 'readComposite': {
      const paths = pathsOf(asked.value.paths);
      const operation = { kind: asked.case, paths: [...asked.value.paths] };
      return { operation, paths, needs: [asked.case === 'observe' ? 'observe' : 'read'] };
    }
    case 'write':
    case 'create':
    case 'writeComposite':
      return checkedValues(asked, models);
    case 'execute': {
      const { path, arguments: args } = asked.value;
      return { operation: { kind: 'execute', path, args }, paths: [callerPath(path)], needs: ['execute'] };
    }
    case 'writeAttributes': {
      const { path, attributes } = asked.value;
      const operation = { kind: 'attributes', path, attributes: callerAttributes(attributes) } as const;
      return { operation, paths: [callerPath(path)], needs: ['attributes'] };
    }
    case 'firmware':
      return checkedFirmware(asked.value);
    case 'bootstrap':
      return { operation: { kind: 'bootstrap' }, paths: [new Lwm2mPath(1)], needs: ['execute'] };
    default:
      throw serviceError('LWM2M_REQUEST_INVALID', 'operation is missing');
  }
}

function checkedValues(
  asked: Extract<Asked, { case: 'write' | 'create' | 'writeComposite' }>,
  models: ModelRegistry,
): CheckedOperation {
  const { senmlJson } = asked.value;
  if (asked.case === 'writeComposite') {
    const entries = fromSenmlJson(senmlJson, Lwm2mPath.ROOT, models);
    const paths = entries.map(({ path }) => path);
    return { operation: { kind: 'writeComposite', senmlJson }, paths, needs: ['write'] };
  }
  const { path } = asked.value;
  const paths = [callerPath(path)];
  if (asked.case === 'create') {
    fromSenmlJson(senmlJson, callerPath(path), models);
    return { operation: { kind: 'create', path, senmlJson }, paths, needs: ['create'] };
  }
  writtenEntries(senmlJson, callerPath(path), models);
  const { partial, contentFormat } = asked.value;
  const format =
    contentFormat === undefined ? {} : { contentFormat: contentFormatOf('content_format', contentFormat) };
  return { operation: { kind: 'write', path, senmlJson, partial, ...format }, paths, needs: ['write'] };
}

function checkedFirmware({ image, pull }: management.FirmwareOperation): CheckedOperation {
  if (image.length === 0 || image.length > IMAGE_BYTES_MAX) {
    throw serviceError('LWM2M_REQUEST_INVALID', `image has 1 to ${IMAGE_BYTES_MAX} bytes`);
  }
  const operation = { kind: 'firmware', pull, image: Buffer.from(image).toString('base64') } as const;
  return { operation, paths: [new Lwm2mPath(5)], needs: ['write', 'execute'] };
}

function pathsOf(texts: readonly string[]): readonly Lwm2mPath[] {
  if (texts.length === 0 || texts.length > PATHS_MAX) {
    throw serviceError('LWM2M_REQUEST_INVALID', `paths has 1 to ${PATHS_MAX} paths`);
  }
  return texts.map(callerPath);
}
