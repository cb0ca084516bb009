import type { MessageInitShape } from '@bufbuild/protobuf';
import { management } from '@sefleet/api';
import { isSefleetError } from '@sefleet/errors';
import type { CallContext, CallOptions, ServiceImplementation } from '@sefleet/service';
import { walkPages } from './page-walk.ts';
import { passedOn } from './shards.ts';
import type { ShardPeer, Shards } from './shards.ts';

type Service = ServiceImplementation<typeof management.DeviceManagementService>;
type Calls = Pick<
  Service,
  'startCampaign' | 'getCampaign' | 'listCampaigns' | 'controlCampaign' | 'listCampaignResults'
>;
type Campaign = MessageInitShape<typeof management.CampaignSchema>;
type Client = ShardPeer['client'];
interface Answer {
  readonly campaign?: Campaign | undefined;
}

const LISTED_MAX = 100;
const { CampaignState } = management;
/** What a campaign is whose parts differ: the first of these that one of them is. */
const STATES = [CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.CANCELLED, CampaignState.ENDED];

/** Campaigns: each server works on its own devices under the one id. */
export function campaignFront(own: Service, shards: Shards): Calls {
  const isAlone = (context: CallContext): boolean => context.isPassedOn === true || shards.peers.length === 0;
  return {
    startCampaign: async (request, context) =>
      isAlone(context) ? own.startCampaign(request, context) : startEverywhere(own, shards, request, context),
    getCampaign: (request, context) =>
      everywhere(
        shards,
        context,
        () => own.getCampaign(request, context),
        (client, options) => client.getCampaign(request, options),
      ),
    controlCampaign: (request, context) =>
      everywhere(
        shards,
        context,
        () => own.controlCampaign(request, context),
        (client, options) => client.controlCampaign(request, options),
      ),
    listCampaigns: async (request, context) => {
      const { answers } = await shards.ask(context, (client, options) =>
        client.listCampaigns(request, options),
      );
      const parts = [await own.listCampaigns(request, context), ...answers];
      const byId = Map.groupBy(
        parts.flatMap(({ campaigns = [] }) => campaigns),
        ({ campaignId }) => campaignId,
      );
      const startOf = ({ startedAt }: Campaign): bigint => startedAt?.seconds ?? 0n;
      const merged = Array.from(byId.values(), merge);
      return { campaigns: merged.toSorted((a, b) => Number(startOf(b) - startOf(a))).slice(0, LISTED_MAX) };
    },
    listCampaignResults: async (request, context) =>
      isAlone(context) ? own.listCampaignResults(request, context) : results(own, shards, request, context),
  };
}

async function startEverywhere(
  own: Service,
  shards: Shards,
  request: management.StartCampaignRequest,
  context: CallContext,
): Promise<{ campaign: Campaign }> {
  // Devices by name go to the server that has them, or will have them; a cohort is each server's own part.
  const named = new Map<ShardPeer | undefined, string[]>();
  for (const endpoint of request.endpoints) {
    const holder = await shards.futureHolderOf(endpoint, context);
    named.set(holder, [...(named.get(holder) ?? []), endpoint]);
  }
  const servers = request.endpoints.length === 0 ? [undefined, ...shards.peers] : [...named.keys()];
  const concurrency = Math.ceil(request.concurrency / servers.length);
  const parts = await Promise.all(
    servers.map(async (server) => {
      const part = { ...request, concurrency, endpoints: named.get(server) ?? [] };
      const { campaign } =
        server === undefined
          ? await own.startCampaign(part, context)
          : await server.client.startCampaign(part, passedOn(context));
      return campaign ?? {};
    }),
  );
  return { campaign: merge(parts) };
}

async function results(
  own: Service,
  shards: Shards,
  request: management.ListCampaignResultsRequest,
  context: CallContext,
) {
  const page = async (asked: ReturnType<Service['listCampaignResults']>) => {
    const { results: items = [], nextPageToken = '' } = await known(asked, {});
    return { items, next: nextPageToken };
  };
  const servers = new Map([
    [shards.ownUri, (pageToken: string) => page(own.listCampaignResults({ ...request, pageToken }, context))],
    ...shards.peers.map(
      ({ uri, client }) =>
        [
          uri,
          (pageToken: string) =>
            page(client.listCampaignResults({ ...request, pageToken }, passedOn(context))),
        ] as const,
    ),
  ]);
  const { items, next } = await walkPages(request.pageToken, servers);
  return { results: [...items], nextPageToken: next };
}

/** The sum of what the servers say that know the campaign; the error of this one when none does. */
async function everywhere(
  shards: Shards,
  context: CallContext,
  own: () => Answer | Promise<Answer>,
  ask: (client: Client, options: CallOptions) => Promise<Answer>,
): Promise<{ campaign: Campaign }> {
  const mine = await Promise.allSettled([Promise.try(own)]);
  const { answers } = await shards.ask(context, (client, options) => known(ask(client, options), {}));
  const parts = answers.flatMap(({ campaign }) => (campaign === undefined ? [] : [campaign]));
  const [outcome] = mine;
  if (outcome.status === 'fulfilled') return { campaign: merge([outcome.value.campaign ?? {}, ...parts]) };
  if (parts.length === 0 || !isUnknown(outcome.reason)) throw outcome.reason;
  return { campaign: merge(parts) };
}

/** What was asked, or `none` of a server that does not know the campaign. */
async function known<T>(asked: T | Promise<T>, none: T): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    if (isUnknown(error)) return none;
    throw error;
  }
}

/** A campaign whose part is over cannot be controlled there: that part is as it is. */
function isUnknown(error: unknown): boolean {
  return (
    isSefleetError(error, 'LWM2M_CAMPAIGN_NOT_FOUND') || isSefleetError(error, 'LWM2M_CAMPAIGN_PRECONDITION')
  );
}

function merge(parts: readonly Campaign[]): Campaign {
  const [first = {}] = parts;
  const sum = (name: 'total' | 'succeeded' | 'failed' | 'open'): bigint =>
    parts.reduce((total, part) => total + (part[name] ?? 0n), 0n);
  const state = STATES.find((one) => parts.some((part) => part.state === one)) ?? CampaignState.UNSPECIFIED;
  const ends = parts.flatMap(({ endedAt }) => endedAt ?? []);
  const last = ends.toSorted((a, b) => Number((a.seconds ?? 0n) - (b.seconds ?? 0n))).at(-1);
  const { campaignId = '', startedBy = '', startedAt } = first;
  return {
    campaignId,
    startedBy,
    state,
    total: sum('total'),
    succeeded: sum('succeeded'),
    failed: sum('failed'),
    open: sum('open'),
    ...(startedAt === undefined ? {} : { startedAt: timeOf(startedAt) }),
    ...(last === undefined || ends.length < parts.length ? {} : { endedAt: timeOf(last) }),
  };
}

function timeOf({ seconds = 0n, nanos = 0 }: NonNullable<Campaign['startedAt']>) {
  return { seconds, nanos };
}
