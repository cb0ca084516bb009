import { formatCode } from '@sefleet/coap';
import { Lwm2mPath } from '@sefleet/lwm2m';
import type { ModelRegistry } from '@sefleet/lwm2m';
import type { OperationOptions, OperationResult, RegisteredDevice } from '@sefleet/lwm2m-coap';
import type { FirmwareRollout } from '../campaigns/firmware-rollout.ts';
import { fromSenmlJson, toSenmlJson } from '../senml.ts';
import type { Operation } from './operation.ts';

/** The answer of one device. */
export interface OperationOutcome {
  readonly success: boolean;
  /** True when another attempt may end better: the device's own fault (5.xx). */
  readonly retry: boolean;
  readonly code: string;
  readonly senmlJson: string;
  /** Link format of a Discover, path of a new instance. */
  readonly text: string;
}

/** Bootstrap-Request Trigger of the Server object (Core appendix E.2). */
const BOOTSTRAP_TRIGGER = 9;
const SERVER_OBJECT = 1;
const SERVER_ERROR = 0xa0;

/** Makes an operation on one device. */
export class OperationRunner {
  readonly #models: ModelRegistry;
  readonly #firmware: FirmwareRollout;

  constructor(models: ModelRegistry, firmware: FirmwareRollout) {
    this.#models = models;
    this.#firmware = firmware;
  }

  /** @throws what operations of a device throw */
  async run(
    device: RegisteredDevice,
    operation: Operation,
    options: OperationOptions,
  ): Promise<OperationOutcome> {
    switch (operation.kind) {
      case 'read':
        return this.#read(device.read(Lwm2mPath.parse(operation.path), undefined, options));
      case 'readComposite':
        return this.#read(
          device.readComposite(
            operation.paths.map((path) => Lwm2mPath.parse(path)),
            options,
          ),
        );
      case 'observe':
        return this.#read(
          device.observe(
            operation.paths.map((path) => Lwm2mPath.parse(path)),
            options,
          ),
        );
      case 'write': {
        const { path, entries } = this.#values(operation.path, operation.senmlJson);
        const { contentFormat, partial } = operation;
        const how = contentFormat === undefined ? options : { ...options, contentFormat };
        return outcome(await device.write(path, entries, partial ? 'update' : 'replace', how));
      }
      case 'writeComposite':
        return outcome(await device.writeComposite(this.#values('/', operation.senmlJson).entries, options));
      case 'create': {
        const { path, entries } = this.#values(operation.path, operation.senmlJson);
        const result = await device.create(path, entries, options);
        return outcome(result, { text: result.location ?? '' });
      }
      case 'discover': {
        const result = await device.discover(Lwm2mPath.parse(operation.path), options);
        return outcome(result, { text: result.linkFormat });
      }
      default:
        return outcome(await this.#change(device, operation, options));
    }
  }

  #change(
    device: RegisteredDevice,
    operation: Extract<Operation, { kind: 'delete' | 'attributes' | 'execute' | 'firmware' | 'bootstrap' }>,
    options: OperationOptions,
  ): Promise<OperationResult> {
    switch (operation.kind) {
      case 'delete':
        return device.delete(Lwm2mPath.parse(operation.path), options);
      case 'attributes':
        return device.writeAttributes(Lwm2mPath.parse(operation.path), operation.attributes, options);
      case 'execute':
        return device.execute(Lwm2mPath.parse(operation.path), operation.args, options);
      case 'firmware':
        return this.#firmware.run(device, operation, options);
      case 'bootstrap':
        return device.execute(bootstrapTrigger(device), '', options);
    }
  }

  async #read(asked: ReturnType<RegisteredDevice['read']>): Promise<OperationOutcome> {
    const result = await asked;
    return outcome(result, { senmlJson: toSenmlJson(result.entries, this.#models) });
  }

  #values(text: string, senmlJson: string) {
    const path = Lwm2mPath.parse(text);
    return { path, entries: fromSenmlJson(senmlJson, path, this.#models) };
  }
}

function outcome(
  { code, success }: OperationResult,
  { senmlJson = '', text = '' }: { readonly senmlJson?: string; readonly text?: string } = {},
): OperationOutcome {
  return { success, senmlJson, text, retry: code >= SERVER_ERROR, code: formatCode(code) };
}

/** The trigger of the device's first Server instance, which is ours unless it works with several servers. */
function bootstrapTrigger({ registration }: RegisteredDevice): Lwm2mPath {
  const { objects } = registration.announcement;
  const server = objects.find(({ path }) => path.objectId === SERVER_OBJECT && path.instanceId !== undefined);
  return new Lwm2mPath(SERVER_OBJECT, server?.path.instanceId ?? 0, BOOTSTRAP_TRIGGER);
}
