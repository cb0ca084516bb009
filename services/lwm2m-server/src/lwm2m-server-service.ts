import { join } from 'node:path';
import { provisioning } from '@sefleet/api';
import { createModelRegistry, omaModels } from '@sefleet/lwm2m';
import {
  APDU_EXCHANGE_MODEL,
  createBootstrapServer,
  createLwm2mServer,
  SEALED_RECORDS_MODEL,
} from '@sefleet/lwm2m-coap';
import type { BootstrapServer, Lwm2mServer } from '@sefleet/lwm2m-coap';
import type { NodeRuntime } from '@sefleet/runtime/node';
import { createNodeRuntime } from '@sefleet/runtime/node';
import { createGrpcClient } from '@sefleet/service';
import type { RunningService, ServiceContext, ServiceDescription } from '@sefleet/service';
import { SecuredListener } from './adapters/coaps/secured-listener.ts';
import { serveDeviceManagement } from './adapters/grpc/device-management.ts';
import { MqttPublisher } from './adapters/mqtt/mqtt-publisher.ts';
import { bootstrapConfigurationFor } from './adapters/provisioning/bootstrap-configurations.ts';
import { CredentialDirectory } from './adapters/provisioning/credential-directory.ts';
import { ApduDoor } from './domain/apdu-door.ts';
import { DeviceReports } from './domain/device-reports.ts';
import { EventJournal } from './domain/event-journal.ts';
import { RecordForwarder } from './domain/record-forwarder.ts';
import { RegistrationList } from './domain/registration-list.ts';
import { Statistics } from './domain/statistics.ts';
import { EVENTS } from './events.ts';
import { LWM2M_SERVER_SETTINGS } from './settings.ts';
import { SqliteStore } from './store/sqlite-store.ts';

type Context = ServiceContext<typeof LWM2M_SERVER_SETTINGS>;

/** The LwM2M management server and the bootstrap server, with the northbound interface of both. */
export const LWM2M_SERVER_SERVICE: ServiceDescription<typeof LWM2M_SERVER_SETTINGS> = {
  name: 'lwm2m-server',
  settings: LWM2M_SERVER_SETTINGS,
  start: async (context): Promise<RunningService> => {
    const runtime = createNodeRuntime();
    const parts = openParts(context, runtime);
    const { store, publisher, credentials } = parts;
    const { server, management } = await startManagement(context, runtime, parts);
    const { server: bootstrapServer, listener: bootstrap } = await startBootstrap(context, runtime, parts);
    const sources = [management, bootstrap, counted(server), counted(bootstrapServer)];
    const statistics = new Statistics(server, store, context.log, sources);
    const door = new ApduDoor(server, runtime.timers);
    const list = new RegistrationList(server, runtime.clock);
    const { models, journal } = parts;
    return {
      grpc: [serveDeviceManagement({ server, models, list, door, journal, statistics })],
      ready: { lwm2mPort: management.port, bootstrapPort: bootstrap.port },
      stop: async () => {
        await Promise.all([bootstrapServer.close(), server.close()]);
        await publisher.close();
        await store.close();
        credentials.close();
        runtime.close();
      },
    };
  },
};

type Parts = ReturnType<typeof openParts>;

/** What both servers share. */
function openParts({ settings, log, tls, dataFolder }: Context, runtime: NodeRuntime) {
  const store = new SqliteStore(join(dataFolder, 'state.sqlite'), runtime.timers, (error) =>
    log.emit(EVENTS.storeFailed, { error }),
  );
  const credentials = createGrpcClient(provisioning.CredentialService, settings.provisioningTarget, tls);
  const publisher = new MqttPublisher(settings.mqttUrl, tls, settings.maxPublishing, log);
  const journal = new EventJournal(Buffer.from(runtime.rng.bytes(6)).toString('base64url'));
  const forwarder = new RecordForwarder(publisher, (name, by) => log.count(name, by));
  return {
    store,
    credentials,
    publisher,
    journal,
    models: createModelRegistry([APDU_EXCHANGE_MODEL, SEALED_RECORDS_MODEL], omaModels()),
    directory: new CredentialDirectory(credentials, runtime, log),
    reports: new DeviceReports({ log, journal, forwarder, store, clock: runtime.clock }),
  };
}

async function startManagement(
  { settings, log }: Context,
  runtime: NodeRuntime,
  { models, store, reports, directory }: Parts,
): Promise<{ readonly server: Lwm2mServer; readonly management: SecuredListener }> {
  const { address, awakeTimeMs, operationTimeoutMs } = settings;
  const parties: { server?: Lwm2mServer } = {};
  const management = await SecuredListener.bind({
    runtime,
    log,
    directory,
    address,
    port: settings.lwm2mPort,
    portSetting: LWM2M_SERVER_SETTINGS.lwm2mPort.env,
    bufferBytes: settings.socketBufferBytes,
    keyExchange: settings.keyExchange,
    account: 'management',
    peerGone: (peer) => parties.server?.peerGone(peer),
  });
  const { authoriser } = management;
  const server = createLwm2mServer({
    runtime,
    models,
    store,
    authoriser,
    awakeTimeMs,
    operationTimeoutMs,
    consumer: reports,
    events: reports.serverEvents,
  });
  parties.server = server;
  await server.restore();
  log.emit(EVENTS.restored, { registrations: server.size });
  server.listen((handler) => management.connect(handler));
  return { server, management };
}

async function startBootstrap(
  { settings, log }: Context,
  runtime: NodeRuntime,
  { models, credentials, reports, directory }: Parts,
): Promise<{ readonly server: BootstrapServer; readonly listener: SecuredListener }> {
  const listener = await SecuredListener.bind({
    runtime,
    log,
    directory,
    address: settings.address,
    port: settings.bootstrapPort,
    portSetting: LWM2M_SERVER_SETTINGS.bootstrapPort.env,
    bufferBytes: settings.socketBufferBytes,
    keyExchange: settings.keyExchange,
    account: 'bootstrap',
    peerGone: () => {},
  });
  const server = createBootstrapServer({
    runtime,
    models,
    authoriser: listener.authoriser,
    configurationFor: ({ endpoint }) => bootstrapConfigurationFor(credentials, endpoint),
    events: reports.bootstrapEvents,
  });
  server.listen((handler) => listener.connect(handler));
  return { server, listener };
}

function counted(server: Lwm2mServer | BootstrapServer): { counters(): ReadonlyMap<string, number> } {
  return { counters: () => new Map(Object.entries(server.counters())) };
}
