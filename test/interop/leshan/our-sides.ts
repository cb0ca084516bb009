import { createCoapEndpoint } from '@sefleet/coap';
import { createDtlsEndpoint } from '@sefleet/dtls';
import type { DtlsClientSettings, DtlsServerSettings } from '@sefleet/dtls';
import {
  defineObject,
  enablerObjects,
  firmwareDefaults,
  firmwareUpdateObject,
  Lwm2mPath,
  ObjectTree,
  omaModels,
} from '@sefleet/lwm2m';
import type { FirmwareHooks, Lwm2mEntry } from '@sefleet/lwm2m';
import {
  accountWrites,
  createBootstrapServer,
  createLwm2mClient,
  createLwm2mServer,
  DEFAULT_CLIENT_SETTINGS,
} from '@sefleet/lwm2m-coap';
import type { BootstrapFindings, Lwm2mClient, Lwm2mServer, Lwm2mTransport } from '@sefleet/lwm2m-coap';
import { createNodeRuntime, UdpChannel } from '@sefleet/runtime/node';
import type { Credentials } from './credentials.ts';

export const models = omaModels();
export const runtime = createNodeRuntime();
const LOOPBACK = '127.0.0.1';
const SHORT_SERVER_ID = 101;
const LIFETIME_SECONDS = 300;

/** Real sockets; everything in the account but the address is left aside. */
function transportWith(settings: DtlsClientSettings): Lwm2mTransport {
  return {
    async connect({ account, handler, lost }) {
      const url = new URL(account.uri);
      const channel = await UdpChannel.bind({ address: LOOPBACK });
      const events = { sessionClosed: (_peer: unknown, reason: string) => lost(reason) };
      const dtls = createDtlsEndpoint({ channel, runtime, events });
      const endpoint = createCoapEndpoint({ channel: dtls, runtime, handler });
      const peer = await dtls.connect(url.hostname, Number(url.port), settings);
      return { endpoint, peer, close: () => endpoint.close() };
    },
  };
}

const hooks: FirmwareHooks<unknown> = {
  protocols: [0],
  packageBytesMax: 100_000,
  verify: () => ({ accepted: true }),
  apply: () => Promise.resolve(true),
};

/** How a device of ours starts. */
export interface DeviceOptions {
  readonly name: string;
  readonly uri: string;
  readonly settings: DtlsClientSettings;
  /** True: the account is that of a bootstrap server, and there is no other. */
  readonly bootstrap?: boolean;
  /** `UQ` for queue mode. */
  readonly binding?: string;
  readonly awakeTimeMs?: number;
}

/** A device of ours with objects 0 to 3, 5, 6 and the account that the options tell. */
export function createDevice(options: DeviceOptions): { client: Lwm2mClient; tree: ObjectTree } {
  const { name, uri, settings, bootstrap = false, binding = 'U' } = options;
  const tree = new ObjectTree<unknown>(
    [
      ...enablerObjects<unknown>(models).filter(({ model }) => model.id > 2),
      ...[0, 1].map((id) => defineObject<unknown>(models, id, id === 1 ? { supports: [4, 8, 9] } : {})),
      defineObject(models, 2, { creatable: true }),
      firmwareUpdateObject(models, hooks),
      defineObject(models, 6),
    ],
    undefined,
    models,
  );
  tree
    .require(0)
    .add(bootstrap ? 0 : 1, [
      [0, uri],
      [1, bootstrap],
      [2, 0],
      [3, Uint8Array.from(Buffer.from(name))],
      [4, new Uint8Array()],
      [5, new Uint8Array(16)],
      ...(bootstrap ? [] : [[10, SHORT_SERVER_ID] as const]),
    ]);
  if (!bootstrap) {
    tree.require(1).add(0, [
      [0, SHORT_SERVER_ID],
      [1, LIFETIME_SECONDS],
      [6, true],
      [7, binding],
    ]);
  }
  tree.require(3).add(0, [
    [0, 'sefleet'],
    [11, new Map([[0, 0]])],
    [13, 1_767_225_600],
    [16, 'U'],
  ]);
  tree.require(5).add(0, firmwareDefaults(hooks));
  tree.require(6).add(0, [
    [0, 52.5],
    [1, 13.25],
    [5, 1_767_225_600],
  ]);
  const { awakeTimeMs = DEFAULT_CLIENT_SETTINGS.awakeTimeMs } = options;
  const client = createLwm2mClient({
    endpointName: name,
    tree,
    runtime,
    transport: transportWith(settings),
    settings: { ...DEFAULT_CLIENT_SETTINGS, awakeTimeMs },
  });
  return { client, tree };
}

/** Our management server and our bootstrap server, which sends devices to it. */
export interface OurServers {
  readonly server: Lwm2mServer;
  readonly managementPort: number;
  readonly bootstrapPort: number;
  readonly sent: (readonly Lwm2mEntry[])[];
  readonly notified: (readonly Lwm2mEntry[])[];
  readonly findings: BootstrapFindings[];
  close(): Promise<void>;
}

/** Both servers, with credentials for the one device that is expected. */
export async function startServers({ server: dtls, account }: Credentials): Promise<OurServers> {
  const sent: (readonly Lwm2mEntry[])[] = [];
  const notified: (readonly Lwm2mEntry[])[] = [];
  const findings: BootstrapFindings[] = [];
  const server = createLwm2mServer({
    runtime,
    models,
    authoriser: {
      authorise: (peer, name) => (peer.identity.kind === 'none' ? undefined : { endpoint: name ?? '' }),
    },
    consumer: {
      send: (_registration, entries) => {
        sent.push(entries);
        return { kind: 'accepted' };
      },
      notification: (_registration, _paths, entries) => void notified.push(entries),
    },
  });
  const management = await listen(dtls);
  server.listen((handler) => createCoapEndpoint({ runtime, channel: management.channel, handler }));
  const bootstrap = createBootstrapServer({
    runtime,
    models,
    authoriser: { authorise: (_peer, name) => (name === undefined ? undefined : { endpoint: name }) },
    configurationFor: () => ({
      inspect: { discover: true, reads: [Lwm2mPath.parse('/1')] },
      deletes: [Lwm2mPath.parse('/0'), Lwm2mPath.parse('/1')],
      writes: accountWrites({
        securityInstance: 0,
        serverInstance: 0,
        shortServerId: SHORT_SERVER_ID,
        uri: `coaps://${LOOPBACK}:${management.port}`,
        security: account,
        lifetimeSeconds: LIFETIME_SECONDS,
        binding: 'U',
        notificationStoring: true,
      }),
    }),
    events: { inspected: (_device, found) => void findings.push(found) },
  });
  const door = await listen(dtls);
  bootstrap.listen((handler) => createCoapEndpoint({ runtime, channel: door.channel, handler }));
  const close = (): Promise<void> => Promise.all([server.close(), bootstrap.close()]).then(() => undefined);
  const ports = { managementPort: management.port, bootstrapPort: door.port };
  return { server, ...ports, sent, notified, findings, close };
}

async function listen(
  server: DtlsServerSettings,
): Promise<{ channel: ReturnType<typeof createDtlsEndpoint>; port: number }> {
  const udp = await UdpChannel.bind({ address: LOOPBACK });
  return { channel: createDtlsEndpoint({ channel: udp, runtime, server }), port: udp.localAddress().port };
}

/** Ports of UDP that were free a moment ago, for a program that wants to be told. */
export async function freePorts(count: number): Promise<number[]> {
  const channels = await Promise.all(
    Array.from({ length: count }, () => UdpChannel.bind({ address: LOOPBACK })),
  );
  const ports = channels.map((channel) => channel.localAddress().port);
  await Promise.all(channels.map((channel) => channel.close()));
  return ports;
}
