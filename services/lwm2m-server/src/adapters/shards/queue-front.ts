import type { management } from '@sefleet/api';
import { isSefleetError } from '@sefleet/errors';
import type { CallContext, CallOptions, ServiceImplementation } from '@sefleet/service';
import { walkPages } from './page-walk.ts';
import { passedOn } from './shards.ts';
import type { ShardPeer, Shards } from './shards.ts';

type Service = ServiceImplementation<typeof management.DeviceManagementService>;
type Calls = Pick<
  Service,
  'enqueueOperation' | 'getQueuedOperation' | 'cancelQueuedOperation' | 'listQueuedOperations'
>;

/** Operations that wait: each with the server that has its device, or will have it. */
export function queueFront(own: Service, shards: Shards): Calls {
  return {
    enqueueOperation: async (request, context) => {
      const holder = await shards.futureHolderOf(request.endpoint, context);
      return holder === undefined
        ? own.enqueueOperation(request, context)
        : holder.client.enqueueOperation(request, passedOn(context));
    },
    getQueuedOperation: (request, context) =>
      wherever(
        shards,
        context,
        () => own.getQueuedOperation(request, context),
        (client, options) => client.getQueuedOperation(request, options),
      ),
    cancelQueuedOperation: (request, context) =>
      wherever(
        shards,
        context,
        () => own.cancelQueuedOperation(request, context),
        (client, options) => client.cancelQueuedOperation(request, options),
      ),
    listQueuedOperations: async (request, context) => {
      if (context.isPassedOn === true || shards.peers.length === 0)
        return own.listQueuedOperations(request, context);
      const page = async (asked: ReturnType<Service['listQueuedOperations']>) => {
        const { operations = [], nextPageToken = '' } = await asked;
        return { items: operations, next: nextPageToken };
      };
      const servers = new Map([
        [
          shards.ownUri,
          (pageToken: string) => page(own.listQueuedOperations({ ...request, pageToken }, context)),
        ],
        ...shards.peers.map(
          ({ uri, client }) =>
            [
              uri,
              (pageToken: string) =>
                page(client.listQueuedOperations({ ...request, pageToken }, passedOn(context))),
            ] as const,
        ),
      ]);
      const { items, next } = await walkPages(request.pageToken, servers);
      return { operations: [...items], nextPageToken: next };
    },
  };
}

/** The answer of the server that knows the id: this one first. */
async function wherever<O>(
  shards: Shards,
  context: CallContext,
  own: () => O | Promise<O>,
  ask: (client: ShardPeer['client'], options: CallOptions) => Promise<O>,
): Promise<O> {
  try {
    return await own();
  } catch (error) {
    if (!isSefleetError(error, 'LWM2M_QUEUED_OPERATION_NOT_FOUND')) throw error;
    const { answers } = await shards.ask(context, async (client, options) => {
      try {
        return { answer: await ask(client, options) };
      } catch (other) {
        if (isSefleetError(other, 'LWM2M_QUEUED_OPERATION_NOT_FOUND')) return undefined;
        throw other;
      }
    });
    const found = answers.find((answer) => answer !== undefined);
    if (found === undefined) throw error;
    return found.answer;
  }
}
