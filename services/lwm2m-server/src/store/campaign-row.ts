import type { Operation } from '../domain/operations/operation.ts';
import type { Campaign, CampaignResult, CampaignState } from '../domain/campaigns/campaign.ts';
import type { SqlRow, SqlValue } from '@sefleet/service';

/** Values of `saveCampaign`. */
export function campaignValues(campaign: Campaign): readonly SqlValue[] {
  const { id, state, operation, concurrency, attempts, startedAtMs, deadlineAtMs, endedAtMs, startedBy } =
    campaign;
  return [
    id,
    state,
    JSON.stringify(operation),
    concurrency,
    attempts,
    startedAtMs,
    deadlineAtMs,
    endedAtMs ?? null,
    startedBy,
  ];
}

export function toCampaign(row: SqlRow): Campaign {
  const ended = row['ended_at_ms'];
  return {
    id: String(row['id']),
    // What the columns hold was written by this module alone.
    state: String(row['state']) as CampaignState,
    operation: JSON.parse(String(row['operation'])) as Operation,
    concurrency: Number(row['concurrency']),
    attempts: Number(row['attempts']),
    startedAtMs: Number(row['started_at_ms']),
    deadlineAtMs: Number(row['deadline_at_ms']),
    endedAtMs: ended === null || ended === undefined ? undefined : Number(ended),
    startedBy: String(row['started_by']),
  };
}

/** Values of `saveResult`. */
export function resultValues(campaignId: string, result: CampaignResult): readonly SqlValue[] {
  const { endpoint, state, code, senmlJson, error, attempts } = result;
  return [campaignId, endpoint, state, code, senmlJson, error, attempts];
}

export function toResult(row: SqlRow): CampaignResult {
  return {
    endpoint: String(row['endpoint']),
    // As above.
    state: String(row['state']) as CampaignResult['state'],
    code: String(row['code']),
    senmlJson: String(row['senml_json']),
    error: String(row['error']),
    attempts: Number(row['attempts']),
  };
}
