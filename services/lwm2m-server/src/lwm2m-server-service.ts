import { join } from 'node:path';
import type { CoapEndpoint } from '@sefleet/coap';
import { createBootstrapServer, createLwm2mServer } from '@sefleet/lwm2m-coap';
import type { BootstrapServer, Lwm2mServer } from '@sefleet/lwm2m-coap';
import type { Peer, StreamListener } from '@sefleet/runtime';
import { createNodeRuntime } from '@sefleet/runtime/node';
import type { RunningService, ServedService, ServiceDescription } from '@sefleet/service';
import { DeviceAuthority } from './adapters/coaps/device-authority.ts';
import { SecuredListener } from './adapters/coaps/secured-listener.ts';
import { SessionFile } from './adapters/coaps/session-file.ts';
import { TlsListener } from './adapters/coaps/tls-listener.ts';
import { DeviceAccess } from './adapters/grpc/device-access.ts';
import { serveRecordInbox } from './adapters/grpc/record-inbox-service.ts';
import { RecordInbox } from './adapters/inbox/record-inbox.ts';
import { serveDeviceManagement } from './adapters/grpc/device-management.ts';
import { bootstrapConfigurationFor } from './adapters/provisioning/bootstrap-configurations.ts';
import { withTemplates } from './domain/bootstrap-templates.ts';
import { ApduDoor } from './domain/apdu-door.ts';
import { Campaigns } from './domain/campaigns/campaigns.ts';
import { FirmwareImages } from './domain/campaigns/firmware-images.ts';
import { FirmwareRollout } from './domain/campaigns/firmware-rollout.ts';
import { OperationRunner } from './domain/campaigns/operation-runner.ts';
import { FleetDirectory } from './domain/fleet-directory.ts';
import { PresenceWatch } from './domain/presence-watch.ts';
import { RegistrationList } from './domain/registration-list.ts';
import { Statistics } from './domain/statistics.ts';
import { EVENTS } from './events.ts';
import { openSharedParts } from './parts.ts';
import type { Lwm2mServiceContext, SharedParts } from './parts.ts';
import { LWM2M_SERVER_SETTINGS } from './settings.ts';

/** The LwM2M management server and the bootstrap server, with the northbound interface of both. */
export const LWM2M_SERVER_SERVICE: ServiceDescription<typeof LWM2M_SERVER_SETTINGS> = {
  name: 'lwm2m-server',
  settings: LWM2M_SERVER_SETTINGS,
  start: async (context): Promise<RunningService> => {
    const runtime = createNodeRuntime();
    const watch = new PresenceWatch();
    const parts = await openSharedParts(context, runtime, watch);
    const images = new FirmwareImages();
    const { server, management, close } = await startManagement(context, parts, images);
    const { server: bootstrapServer, listener: bootstrap } = await startBootstrap(context, parts);
    const fleet = new FleetDirectory(server, (name) => context.log.count(name));
    const campaigns = createCampaigns(context, parts, fleet, images);
    watch.begin(fleet, campaigns);
    await campaigns.resume();
    const sources = [management, bootstrap, counted(server), counted(bootstrapServer)];
    const statistics = new Statistics(server, parts.store, context.log, sources);
    return {
      grpc: [serveNorthbound(parts, fleet, campaigns, statistics), ...servedInbox(parts)],
      ready: { lwm2mPort: management.port, bootstrapPort: bootstrap.port },
      stop: async () => {
        campaigns.stop();
        // Devices keep their sessions over a restart; without this they would be told that it is over.
        sessionFile(context).save(management.dtls.exportSessions());
        await Promise.all([bootstrapServer.close(), server.close(), close()]);
        await parts.publisher.close();
        await parts.store.close();
        parts.credentials.close();
        runtime.close();
      },
    };
  },
};

interface StartedManagement {
  readonly server: Lwm2mServer;
  readonly management: SecuredListener;
  /** Closes what the server does not close itself. */
  readonly close: () => Promise<void>;
}

async function startManagement(
  context: Lwm2mServiceContext,
  { runtime, models, store, reports, directory, certificates }: SharedParts,
  images: FirmwareImages,
): Promise<StartedManagement> {
  const { settings, log } = context;
  const { address, awakeTimeMs, operationTimeoutMs } = settings;
  const parties: { server?: Lwm2mServer } = {};
  const authority = new DeviceAuthority(directory, certificates, 'management');
  const management = await SecuredListener.bind({
    runtime,
    log,
    authority,
    certificates,
    address,
    port: settings.lwm2mPort,
    portSetting: LWM2M_SERVER_SETTINGS.lwm2mPort.env,
    bufferBytes: settings.socketBufferBytes,
    keyExchange: settings.keyExchange,
    peerGone: (peer) => parties.server?.peerGone(peer),
  });
  const server = createLwm2mServer({
    runtime,
    models,
    store,
    awakeTimeMs,
    operationTimeoutMs,
    authoriser: authority,
    consumer: reports,
    events: reports.serverEvents,
    resources: (request) => images.handle(request),
  });
  parties.server = server;
  await server.restore();
  const coap = server.listen((handler) => management.connect(handler));
  adoptSessions(context, server, management, coap);
  const shared = { runtime, certificates };
  const streams = settings.tcp ? await listenForStreams(context, server, management.port, shared) : undefined;
  return { server, management, close: async () => streams?.close() };
}

/** coaps+tcp, on the port of the same number. */
async function listenForStreams(
  { settings, log, tls }: Lwm2mServiceContext,
  server: Lwm2mServer,
  port: number,
  { runtime, certificates }: Pick<SharedParts, 'runtime' | 'certificates'>,
): Promise<StreamListener> {
  const { address } = settings;
  const peerGone = (peer: Peer): void => server.peerGone(peer);
  const listener = new TlsListener({ runtime, log, tls, certificates, address, port, peerGone });
  server.listen((handler) => listener.connect(handler));
  return listener.open();
}

/** Sessions that were open when the service was stopped go on. */
function adoptSessions(
  context: Lwm2mServiceContext,
  server: Lwm2mServer,
  { dtls }: SecuredListener,
  coap: CoapEndpoint,
): void {
  const { log } = context;
  const saved = sessionFile(context).take();
  const peers = saved === undefined ? [] : dtls.importSessions(saved);
  log.emit(EVENTS.restored, { registrations: server.size, sessions: peers.length });
  for (const peer of peers) {
    // A device whose credential cannot be looked up now is known again when it speaks.
    void server.adopt(coap, peer).catch(() => log.count('sessions.notAdopted'));
  }
}

function sessionFile({ dataFolder, tls }: Lwm2mServiceContext): SessionFile {
  return new SessionFile(join(dataFolder, 'sessions.sealed'), tls.privateKey);
}

async function startBootstrap(
  { settings, log }: Lwm2mServiceContext,
  { runtime, models, credentials, reports, directory, certificates, templates }: SharedParts,
): Promise<{ readonly server: BootstrapServer; readonly listener: SecuredListener }> {
  const authority = new DeviceAuthority(directory, certificates, 'bootstrap');
  const listener = await SecuredListener.bind({
    runtime,
    log,
    authority,
    certificates,
    address: settings.address,
    port: settings.bootstrapPort,
    portSetting: LWM2M_SERVER_SETTINGS.bootstrapPort.env,
    bufferBytes: settings.socketBufferBytes,
    keyExchange: settings.keyExchange,
    peerGone: () => {},
  });
  const shards = settings.shards.split(/\s+/).filter((uri) => uri !== '');
  const server = createBootstrapServer({
    runtime,
    models,
    authoriser: authority,
    configurationFor: async (device) => {
      const accounts = await bootstrapConfigurationFor(credentials, device.endpoint, shards);
      return accounts === undefined ? undefined : withTemplates(accounts, device, templates);
    },
    events: reports.bootstrapEvents,
  });
  server.listen((handler) => listener.connect(handler));
  return { server, listener };
}

function createCampaigns(
  { settings }: Lwm2mServiceContext,
  { models, store, runtime }: SharedParts,
  fleet: FleetDirectory,
  images: FirmwareImages,
): Campaigns {
  const firmware = new FirmwareRollout(fleet, images, runtime.timers, settings.publicUri);
  return new Campaigns({ fleet, store, runtime, runner: new OperationRunner(models, firmware) });
}

function serveNorthbound(
  { gatekeeper, models, store, journal, runtime }: SharedParts,
  fleet: FleetDirectory,
  campaigns: Campaigns,
  statistics: Statistics,
): ServedService {
  return serveDeviceManagement({
    models,
    store,
    journal,
    campaigns,
    statistics,
    audit: store,
    timers: runtime.timers,
    access: new DeviceAccess(fleet, gatekeeper),
    door: new ApduDoor(fleet, runtime.timers),
    list: new RegistrationList(fleet, runtime.clock),
  });
}

/** Records are read here where they are kept here. */
function servedInbox({ publisher, gatekeeper }: SharedParts): readonly ServedService[] {
  return publisher instanceof RecordInbox ? [serveRecordInbox(publisher, gatekeeper)] : [];
}

function counted(server: Lwm2mServer | BootstrapServer): { counters(): ReadonlyMap<string, number> } {
  return { counters: () => new Map(Object.entries(server.counters())) };
}
