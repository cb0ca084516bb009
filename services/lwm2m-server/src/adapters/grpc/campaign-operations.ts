import { management } from '@sefleet/api';
import type { ModelRegistry } from '@sefleet/lwm2m';
import type { RegisteredDevice } from '@sefleet/lwm2m-coap';
import type { CallContext, ServiceImplementation } from '@sefleet/service';
import { isUnrestricted } from '../../domain/access/access-rule.ts';
import type { CampaignStore } from '../../domain/campaigns/campaign.ts';
import type { Campaigns, CampaignStatus } from '../../domain/campaigns/campaigns.ts';
import type { RegistrationList } from '../../domain/registration-list.ts';
import { serviceError } from '../../errors.ts';
import { toCampaignMessage, toResultMessage } from './campaign-messages.ts';
import type { DeviceAccess } from './device-access.ts';
import { kindName } from './device-kind.ts';
import { toTraits } from './registration-filter.ts';
import { toOperation } from './operation-message.ts';
import { fromPageToken, pageSizeOf, toPageToken } from './paging.ts';

type CampaignCalls = Pick<
  ServiceImplementation<typeof management.DeviceManagementService>,
  'startCampaign' | 'getCampaign' | 'listCampaigns' | 'controlCampaign' | 'listCampaignResults'
>;

/** What campaign calls work with. */
export interface CampaignCallParts {
  readonly access: DeviceAccess;
  readonly campaigns: Campaigns;
  readonly store: CampaignStore;
  readonly list: RegistrationList;
  readonly models: ModelRegistry;
}

const CONCURRENCY = 32;
const CONCURRENCY_MAX = 1024;
const ATTEMPTS = 3;
const ATTEMPTS_MAX = 100;
const DEADLINE_SECONDS = 86_400;
const CAMPAIGN_ID = /^[\w.:-]{1,64}$/;

const ACTIONS = new Map<management.CampaignAction, 'paused' | 'running' | 'cancelled'>([
  [management.CampaignAction.PAUSE, 'paused'],
  [management.CampaignAction.RESUME, 'running'],
  [management.CampaignAction.CANCEL, 'cancelled'],
]);

/** Campaigns, for callers. */
export function campaignOperations(parts: CampaignCallParts): CampaignCalls {
  const { access, campaigns, store } = parts;
  return {
    startCampaign: async (request, context) => ({
      campaign: toCampaignMessage(await startCampaign(parts, request, context.caller)),
    }),
    getCampaign: async ({ campaignId }, context) => {
      return { campaign: toCampaignMessage(await ownCampaign(parts, context, campaignId)) };
    },
    listCampaigns: async (_request, context) => {
      const seesAll = isUnrestricted(access.require(context, 'campaign'));
      const all = await campaigns.list();
      const seen = all.filter(({ campaign }) => seesAll || campaign.startedBy === context.caller);
      return { campaigns: seen.map(toCampaignMessage) };
    },
    controlCampaign: async ({ campaignId, action }, context) => {
      await ownCampaign(parts, context, campaignId);
      const state = ACTIONS.get(action);
      if (state === undefined) throw serviceError('LWM2M_REQUEST_INVALID', 'action is missing');
      return { campaign: toCampaignMessage(await campaigns.control(campaignId, state)) };
    },
    listCampaignResults: async ({ campaignId, pageSize, pageToken, onlyFailed }, context) => {
      await ownCampaign(parts, context, campaignId);
      const limit = pageSizeOf(pageSize);
      const after = fromPageToken(pageToken);
      const results = await store.campaignResults(campaignId, { after, limit, onlyFailed });
      const last = results.length === limit ? results.at(-1) : undefined;
      return {
        results: results.map(toResultMessage),
        nextPageToken: last === undefined ? '' : toPageToken(last.endpoint),
      };
    },
  };
}

/** A campaign that the caller started, or any for one without restrictions; to others it does not exist. */
async function ownCampaign(
  { access, campaigns }: CampaignCallParts,
  context: Pick<CallContext, 'caller'>,
  id: string,
): Promise<CampaignStatus> {
  const rule = access.require(context, 'campaign');
  const status = await campaigns.find(id);
  if (isUnrestricted(rule) || status.campaign.startedBy === context.caller) return status;
  throw serviceError('LWM2M_CAMPAIGN_NOT_FOUND', `there is no campaign ${id}`);
}

function startCampaign(
  { access, campaigns, list, models }: CampaignCallParts,
  request: management.StartCampaignRequest,
  caller: string,
): ReturnType<Campaigns['start']> {
  access.require({ caller }, 'campaign');
  if (!CAMPAIGN_ID.test(request.campaignId)) {
    throw serviceError(
      'LWM2M_REQUEST_INVALID',
      'campaign_id has 1 to 64 of the characters A-Z a-z 0-9 _ . : -',
    );
  }
  const { operation, paths, needs } = toOperation(request.operation, models);
  const kind = kindName(request.kind);
  const visible = ({ registration }: RegisteredDevice): boolean =>
    access.allowsDevice({ caller }, 'campaign', registration.endpoint);
  const traits = toTraits(request.filter);
  const cohort = list.endpoints({ kind, search: request.search, traits, visible });
  const endpoints = request.endpoints.length > 0 ? request.endpoints : cohort;
  // A campaign does nothing that its starter might not do to each device by itself.
  for (const endpoint of endpoints) {
    for (const need of ['campaign', ...needs] as const)
      access.checkEndpoint({ caller }, need, endpoint, paths);
  }
  return campaigns.start({
    operation,
    endpoints,
    id: request.campaignId,
    concurrency: Math.min(request.concurrency || CONCURRENCY, CONCURRENCY_MAX),
    attempts: Math.min(request.attempts || ATTEMPTS, ATTEMPTS_MAX),
    deadlineSeconds: request.deadlineSeconds || DEADLINE_SECONDS,
    startedBy: caller,
  });
}
