import type { BootstrapServer, Lwm2mServer } from '@sefleet/lwm2m-coap';
import { createNodeRuntime } from '@sefleet/runtime/node';
import type { RunningService, ServedService, ServiceDescription } from '@sefleet/service';
import { DeviceAccess } from './adapters/grpc/device-access.ts';
import { serveRecordInbox } from './adapters/grpc/record-inbox-service.ts';
import { RecordInbox } from './adapters/inbox/record-inbox.ts';
import { serveDeviceManagement } from './adapters/grpc/device-management.ts';
import { Shards } from './adapters/shards/shards.ts';
import { ApduDoor } from './domain/apdu-door.ts';
import { Campaigns } from './domain/campaigns/campaigns.ts';
import { FirmwareImages } from './domain/campaigns/firmware-images.ts';
import { FirmwareRollout } from './domain/campaigns/firmware-rollout.ts';
import { OperationQueue } from './domain/operations/operation-queue.ts';
import { OperationRunner } from './domain/operations/operation-runner.ts';
import { FleetDirectory } from './domain/fleet-directory.ts';
import { PresenceWatch } from './domain/presence-watch.ts';
import { RegistrationList } from './domain/registration-list.ts';
import { Statistics } from './domain/statistics.ts';
import { openSharedParts } from './parts.ts';
import type { Lwm2mServiceContext, SharedParts } from './parts.ts';
import { LWM2M_SERVER_SETTINGS } from './settings.ts';
import { startBootstrap } from './start-bootstrap.ts';
import { startManagement } from './start-management.ts';

/** The LwM2M management server and the bootstrap server, with the northbound interface of both. */
export const LWM2M_SERVER_SERVICE: ServiceDescription<typeof LWM2M_SERVER_SETTINGS> = {
  name: 'lwm2m-server',
  settings: LWM2M_SERVER_SETTINGS,
  start: async (context): Promise<RunningService> => {
    const runtime = createNodeRuntime();
    const watch = new PresenceWatch();
    const parts = await openSharedParts(context, runtime, watch);
    const images = new FirmwareImages();
    const { server, transports, ...management } = await startManagement(context, parts, images);
    const bootstrap = await startBootstrap(context, parts);
    const fleet = new FleetDirectory(server, (name) => context.log.count(name));
    const runner = createRunner(context, parts, fleet, images);
    const campaigns = new Campaigns({ ...parts, fleet, runner });
    const operations = createOperationQueue(parts, fleet, runner);
    watch.begin(fleet, [campaigns, operations]);
    await campaigns.resume();
    await operations.resume();
    const sources = [transports, bootstrap.transports, counted(server), counted(bootstrap.server)];
    const statistics = new Statistics(server, parts.store, context.log, sources);
    const shards = openShards(context, fleet);
    return {
      isRevoked: (serialNumber) => parts.revocations.isRevoked(serialNumber),
      callerRefused: ({ caller, method, reason }) => {
        parts.gatekeeper.record({ caller, operation: method }, reason);
      },
      grpc: [
        serveNorthbound(parts, fleet, { campaigns, operations, statistics, shards }),
        ...servedInbox(parts),
      ],
      ready: {
        lwm2mPort: transports.port,
        bootstrapPort: bootstrap.transports.port,
        ...(parts.plain.isEmpty
          ? {}
          : { plainPort: transports.plainPort, plainBootstrapPort: bootstrap.transports.plainPort }),
      },
      stop: async () => {
        campaigns.stop();
        operations.stop();
        shards.close();
        management.saveSessions();
        await Promise.all([
          bootstrap.server.close(),
          server.close(),
          transports.close(),
          bootstrap.transports.close(),
        ]);
        await parts.journal.close();
        await parts.publisher.close();
        await parts.store.close();
        parts.revocations.close();
        parts.credentials.close();
        runtime.close();
      },
    };
  },
};

function createRunner(
  { settings }: Lwm2mServiceContext,
  { models, runtime }: SharedParts,
  fleet: FleetDirectory,
  images: FirmwareImages,
): OperationRunner {
  return new OperationRunner(models, new FirmwareRollout(fleet, images, runtime.timers, settings.publicUri));
}

function openShards({ settings, tls, log }: Lwm2mServiceContext, fleet: FleetDirectory): Shards {
  return new Shards(settings.peers, {
    tls,
    log,
    ownUri: settings.publicUri,
    own: (endpoint) => {
      const device = fleet.find(endpoint);
      if (device === undefined) return undefined;
      return { reachable: device.reachable, updatedAtMs: device.registration.updatedAtMs };
    },
  });
}

function createOperationQueue(
  { store, runtime, reports }: SharedParts,
  fleet: FleetDirectory,
  runner: OperationRunner,
): OperationQueue {
  return new OperationQueue({
    fleet,
    runner,
    runtime,
    store: store.operations,
    ended: (operation) => {
      const kind = fleet.find(operation.endpoint)?.registration.kind ?? '';
      reports.operationEnded(operation, kind);
    },
  });
}

function serveNorthbound(
  { gatekeeper, models, store, journal, runtime }: SharedParts,
  fleet: FleetDirectory,
  services: {
    readonly campaigns: Campaigns;
    readonly operations: OperationQueue;
    readonly statistics: Statistics;
    readonly shards: Shards;
  },
): ServedService {
  return serveDeviceManagement({
    models,
    store,
    journal,
    ...services,
    audit: store,
    queued: store.operations,
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
