import assert from 'node:assert/strict';
import type { Peer } from '@sefleet/runtime';
import { SimNetwork, SimRuntime, type NetworkConditions } from '@sefleet/runtime/sim';
import { createSoftwarePsk } from '../credentials/software-psk.ts';
import { createDtlsEndpoint } from '../endpoint/create-endpoint.ts';
import type {
  DtlsEndpointOptions,
  DtlsServerSettings,
  HandshakeFailureReport,
  SessionCloseReason,
} from '../settings.ts';

export const SERVER_ADDRESS = '10.0.0.1';
export const SERVER_PORT = 5684;
export const PSK_IDENTITY = 'meter-1';
export const PSK_KEY = new Uint8Array(16).fill(7);
export const PSK = createSoftwarePsk(PSK_IDENTITY, PSK_KEY);

export interface WorldOptions {
  readonly seed?: number;
  readonly conditions?: Partial<NetworkConditions>;
  readonly server?: Partial<DtlsEndpointOptions>;
  readonly serverSettings?: Partial<DtlsServerSettings>;
  readonly client?: Partial<DtlsEndpointOptions>;
}

/** What one side was told. */
interface Log {
  readonly datagrams: { readonly text: string; readonly peer: Peer }[];
  readonly gone: { readonly peer: Peer; readonly reason: string }[];
  readonly established: Peer[];
  readonly failures: HandshakeFailureReport[];
  readonly closed: SessionCloseReason[];
  readonly moved: { readonly address: string; readonly port: number }[];
}

/** A server and a client of ours on a simulated network; the server knows {@link PSK} and echoes. */
export function createWorld(options: WorldOptions = {}) {
  const runtime = new SimRuntime(options.seed ?? 1);
  const network = new SimNetwork(runtime, options.conditions);
  const open = (channel: ReturnType<SimNetwork['bind']>, more: Partial<DtlsEndpointOptions>) => {
    const log: Log = { datagrams: [], gone: [], established: [], failures: [], closed: [], moved: [] };
    const endpoint = createDtlsEndpoint({
      channel,
      runtime,
      ...more,
      events: {
        sessionEstablished: (peer) => log.established.push(peer),
        handshakeFailed: (failure) => log.failures.push(failure),
        sessionClosed: (_, reason) => log.closed.push(reason),
        addressChanged: (_, previous) => log.moved.push(previous),
      },
    });
    return { endpoint, log, channel };
  };
  const serverSide = open(network.bind(SERVER_ADDRESS, SERVER_PORT), {
    connectionIdLength: 6,
    ...options.server,
    server: {
      pskFor: (identity) => (identity === PSK_IDENTITY ? PSK : undefined),
      ...options.serverSettings,
    },
  });
  serverSide.endpoint.listen({
    datagram: (data, peer) => {
      serverSide.log.datagrams.push({ text: Buffer.from(data).toString(), peer });
      serverSide.endpoint.send(data, peer);
    },
    peerGone: (peer, reason) => serverSide.log.gone.push({ peer, reason }),
  });
  const addClient = (more: Partial<DtlsEndpointOptions> = {}) => {
    const side = open(network.bind('10.0.0.2'), { connectionIdLength: 0, ...options.client, ...more });
    side.endpoint.listen({
      datagram: (data, peer) => side.log.datagrams.push({ text: Buffer.from(data).toString(), peer }),
      peerGone: (peer, reason) => side.log.gone.push({ peer, reason }),
    });
    return side;
  };
  return { runtime, network, server: serverSide, client: addClient(), addClient };
}

export type World = ReturnType<typeof createWorld>;

/** Lets virtual time pass until a promise settles, and gives what it settled to. */
export async function settled<T>(world: World, promise: Promise<T>, limitMs = 600_000): Promise<T> {
  let done = false;
  const mark = (): void => {
    done = true;
  };
  promise.then(mark, mark);
  assert.ok(await world.runtime.runUntil(() => done, limitMs), 'a promise that never settles');
  return await promise;
}

/** Connects the world's client (or another one) with the right key. */
export function connected(world: World, client = world.client): Promise<Peer> {
  return settled(world, client.endpoint.connect(SERVER_ADDRESS, SERVER_PORT, { psk: PSK }));
}

/** Sends a word and waits for its echo; false when none comes. */
export async function echoes(
  world: World,
  peer: Peer,
  text: string,
  client = world.client,
): Promise<boolean> {
  const heard = client.log.datagrams.length;
  client.endpoint.send(Buffer.from(text), peer);
  await world.runtime.advance(1000);
  return client.log.datagrams.slice(heard).some((datagram) => datagram.text === text);
}

/** Closes both sides; once the last datagrams have arrived, nothing may be left to run. */
export async function closeWorld(world: World): Promise<void> {
  await world.client.endpoint.close();
  await world.server.endpoint.close();
  await world.runtime.advance(2000);
  assert.equal(world.runtime.activeTimers, 0, 'timers are left');
}
