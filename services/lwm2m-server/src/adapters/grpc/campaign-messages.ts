import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { management } from '@sefleet/api';
import type { CampaignResult, CampaignState } from '../../domain/campaigns/campaign.ts';
import type { CampaignStatus } from '../../domain/campaigns/campaigns.ts';

const STATES: Readonly<Record<CampaignState, management.CampaignState>> = {
  running: management.CampaignState.RUNNING,
  paused: management.CampaignState.PAUSED,
  ended: management.CampaignState.ENDED,
  cancelled: management.CampaignState.CANCELLED,
};

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
