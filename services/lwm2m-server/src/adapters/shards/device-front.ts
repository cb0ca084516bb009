import type { management } from '@sefleet/api';
import { isSefleetError } from '@sefleet/errors';
import type { CallContext, CallOptions, ServiceImplementation } from '@sefleet/service';
import { passedOn } from './shards.ts';
import type { ShardPeer, Shards } from './shards.ts';

type Service = ServiceImplementation<typeof management.DeviceManagementService>;
type Client = ShardPeer['client'];

/** How long an operation on a device may take; the server that has the device ends it sooner. */
const OPERATION_MS = 660_000;

/** Calls about one device, each on the server that has it. */
export function deviceFront(own: Service, shards: Shards): Service {
  const route = createRoute(shards);
  return {
    ...own,
    getRegistration: route(own.getRegistration, (client) => client.getRegistration),
    read: route(own.read, (client) => client.read),
    write: route(own.write, (client) => client.write),
    execute: route(own.execute, (client) => client.execute),
    discover: route(own.discover, (client) => client.discover),
    getDeviceTree: route(own.getDeviceTree, (client) => client.getDeviceTree),
    observe: route(own.observe, (client) => client.observe),
    cancelObservation: route(own.cancelObservation, (client) => client.cancelObservation),
    listObservations: route(own.listObservations, (client) => client.listObservations),
    createInstance: route(own.createInstance, (client) => client.createInstance),
    deleteInstance: route(own.deleteInstance, (client) => client.deleteInstance),
    writeAttributes: route(own.writeAttributes, (client) => client.writeAttributes),
    readComposite: route(own.readComposite, (client) => client.readComposite),
    writeComposite: route(own.writeComposite, (client) => client.writeComposite),
    exchangeApdus: route(own.exchangeApdus, (client) => client.exchangeApdus),
    openApduChannel: apduChannel(own, shards),
  };
}

function createRoute(shards: Shards) {
  return <I extends { readonly endpoint: string }, O>(
    own: (request: I, context: CallContext) => O | Promise<O>,
    ask: (client: Client) => (request: I, options: CallOptions) => Promise<O>,
  ) =>
    async (request: I, context: CallContext): Promise<O> => {
      const { endpoint } = request;
      const options = { ...passedOn(context), deadlineMs: OPERATION_MS };
      const holder = await shards.holderOf(endpoint, context);
      if (holder === undefined) return own(request, context);
      try {
        return await ask(holder.client)(request, options);
      } catch (error) {
        if (!isSefleetError(error, 'LWM2M_DEVICE_NOT_FOUND')) throw error;
      }
      // It has moved since it was found there.
      shards.forget(endpoint);
      const next = await shards.holderOf(endpoint, context);
      return next === undefined ? own(request, context) : ask(next.client)(request, options);
    };
}

function apduChannel(own: Service, shards: Shards): Service['openApduChannel'] {
  return async function* (requests, context) {
    const iterator = requests[Symbol.asyncIterator]();
    const first = await iterator.next();
    const endpoint = first.done === true ? '' : first.value.endpoint;
    const holder = endpoint === '' ? undefined : await shards.holderOf(endpoint, context);
    const all = withFirst(first, iterator);
    if (holder === undefined) {
      yield* own.openApduChannel(all, context);
      return;
    }
    const call = holder.client.openApduChannel(passedOn(context));
    void (async () => {
      for await (const request of all) call.send(request);
      call.end();
    })().catch(() => call.cancel());
    yield* call.responses;
  };
}

/** What was taken from an iterator, and the rest of it. */
async function* withFirst<T>(first: IteratorResult<T>, rest: AsyncIterator<T>): AsyncGenerator<T> {
  for (let next = first; next.done !== true; next = await rest.next()) yield next.value;
}
