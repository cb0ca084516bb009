import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { management } from '@sefleet/api';
import type { ModelRegistry } from '@sefleet/lwm2m';
import { Lwm2mPath } from '@sefleet/lwm2m';
import type { CallerOperation } from '../../domain/access/access-rule.ts';
import type { CampaignOperation, CampaignResult, CampaignState } from '../../domain/campaigns/campaign.ts';
import type { CampaignStatus } from '../../domain/campaigns/campaigns.ts';
import { callerPath, fromSenmlJson } from '../../domain/senml.ts';
import { serviceError } from '../../errors.ts';

const STATES: Readonly<Record<CampaignState, management.CampaignState>> = {
  running: management.CampaignState.RUNNING,
  paused: management.CampaignState.PAUSED,
  ended: management.CampaignState.ENDED,
  cancelled: management.CampaignState.CANCELLED,
};
const IMAGE_BYTES_MAX = 1_048_576;

/** A campaign as the contract has it. */
export function toCampaignMessage({
  campaign,
  counts,
}: CampaignStatus): MessageInitShape<typeof management.CampaignSchema> {
  const { id, state, startedAtMs, endedAtMs, startedBy } = campaign;
  const { succeeded, failed, open } = counts;
  return {
    campaignId: id,
    state: STATES[state],
    total: BigInt(succeeded + failed + open),
    succeeded: BigInt(succeeded),
    failed: BigInt(failed),
    open: BigInt(open),
    startedAt: timestampFromMs(startedAtMs),
    ...(endedAtMs === undefined ? {} : { endedAt: timestampFromMs(endedAtMs) }),
    startedBy,
  };
}

/** One device's result as the contract has it. */
export function toResultMessage(
  result: CampaignResult,
): MessageInitShape<typeof management.CampaignResultSchema> {
  const { endpoint, state, code, senmlJson, error, attempts } = result;
  return { endpoint, code, senmlJson, error, attempts, done: state !== 'open' };
}

/** What a campaign does to each of its devices, as access rules have it. */
export interface CheckedOperation {
  readonly operation: CampaignOperation;
  readonly paths: readonly Lwm2mPath[];
  readonly needs: readonly CallerOperation[];
}

/**
 * The operation of an order, checked as far as it can be without a device, and what its starter has to be
 * granted.
 *
 * @throws SefleetError `LWM2M_REQUEST_INVALID`
 */
export function toCampaignOperation(
  message: management.Operation | undefined,
  models: ModelRegistry,
): CheckedOperation {
  const asked = message?.operation;
  switch (asked?.case) {
    case 'read': {
      const { path } = asked.value;
      return { operation: { kind: 'read', path }, paths: [callerPath(path)], needs: ['read'] };
    }
    case 'write': {
      const { path, senmlJson, partial } = asked.value;
      fromSenmlJson(senmlJson, callerPath(path), models);
      const operation = { kind: 'write', path, senmlJson, partial } as const;
      return { operation, paths: [callerPath(path)], needs: ['write'] };
    }
    case 'execute': {
      const { path, arguments: args } = asked.value;
      return { operation: { kind: 'execute', path, args }, paths: [callerPath(path)], needs: ['execute'] };
    }
    case 'firmware': {
      const { image, pull } = asked.value;
      if (image.length === 0 || image.length > IMAGE_BYTES_MAX) {
        throw serviceError('LWM2M_REQUEST_INVALID', `image has 1 to ${IMAGE_BYTES_MAX} bytes`);
      }
      const operation = { kind: 'firmware', pull, image: Buffer.from(image).toString('base64') } as const;
      return { operation, paths: [new Lwm2mPath(5)], needs: ['write', 'execute'] };
    }
    case 'bootstrap':
      return { operation: { kind: 'bootstrap' }, paths: [new Lwm2mPath(1)], needs: ['execute'] };
    default:
      throw serviceError('LWM2M_REQUEST_INVALID', 'operation is missing');
  }
}
