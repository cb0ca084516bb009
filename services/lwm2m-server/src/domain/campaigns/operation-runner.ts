import { formatCode } from '@sefleet/coap';
import { Lwm2mPath } from '@sefleet/lwm2m';
import type { ModelRegistry } from '@sefleet/lwm2m';
import type { OperationOptions, OperationResult, RegisteredDevice } from '@sefleet/lwm2m-coap';
import { fromSenmlJson, toSenmlJson } from '../senml.ts';
import type { CampaignOperation } from './campaign.ts';
import type { FirmwareRollout } from './firmware-rollout.ts';

/** The answer of one device. */
export interface OperationOutcome {
  readonly success: boolean;
  /** True when another attempt may end better: the device's own fault (5.xx). */
  readonly retry: boolean;
  readonly code: string;
  readonly senmlJson: string;
}

/** Bootstrap-Request Trigger of the Server object (Core appendix E.2). */
const BOOTSTRAP_TRIGGER = 9;
const SERVER_OBJECT = 1;
const SERVER_ERROR = 0xa0;

/** Makes a campaign's operation on one device. */
export class OperationRunner {
  readonly #models: ModelRegistry;
  readonly #firmware: FirmwareRollout;

  constructor(models: ModelRegistry, firmware: FirmwareRollout) {
    this.#models = models;
    this.#firmware = firmware;
  }

  async run(
    device: RegisteredDevice,
    operation: CampaignOperation,
    options: OperationOptions,
  ): Promise<OperationOutcome> {
    switch (operation.kind) {
      case 'read': {
        const result = await device.read(Lwm2mPath.parse(operation.path), undefined, options);
        return outcome(result, toSenmlJson(result.entries, this.#models));
      }
      case 'write': {
        const path = Lwm2mPath.parse(operation.path);
        const entries = fromSenmlJson(operation.senmlJson, path, this.#models);
        return outcome(await device.write(path, entries, operation.partial ? 'update' : 'replace', options));
      }
      case 'execute':
        return outcome(await device.execute(Lwm2mPath.parse(operation.path), operation.args, options));
      case 'firmware':
        return outcome(await this.#firmware.run(device, operation, options));
      case 'bootstrap':
        return outcome(await device.execute(bootstrapTrigger(device), '', options));
    }
  }
}

function outcome({ code, success }: OperationResult, senmlJson = ''): OperationOutcome {
  return { success, retry: code >= SERVER_ERROR, code: formatCode(code), senmlJson };
}

/** The trigger of the device's first Server instance, which is ours unless it works with several servers. */
function bootstrapTrigger({ registration }: RegisteredDevice): Lwm2mPath {
  const { objects } = registration.announcement;
  const server = objects.find(({ path }) => path.objectId === SERVER_OBJECT && path.instanceId !== undefined);
  return new Lwm2mPath(SERVER_OBJECT, server?.path.instanceId ?? 0, BOOTSTRAP_TRIGGER);
}
