import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parties, provisioning } from '@sefleet/api';
import { createModelRegistry, loadModelFolder, omaModels } from '@sefleet/lwm2m';
import type { ModelRegistry } from '@sefleet/lwm2m';
import { APDU_EXCHANGE_MODEL, SEALED_RECORDS_MODEL } from '@sefleet/lwm2m-coap';
import type { EventLog } from '@sefleet/observability';
import type { Runtime, Timers } from '@sefleet/runtime';
import { createGrpcClient, PostgresDatabase, SqliteDatabase } from '@sefleet/service';
import type { GrpcClient, ServiceContext } from '@sefleet/service';
import { DeviceCertificates } from './adapters/devices/device-certificates.ts';
import { RecordInbox } from './adapters/inbox/record-inbox.ts';
import { MqttPublisher } from './adapters/mqtt/mqtt-publisher.ts';
import { RevocationWatch } from './adapters/provisioning/revocation-watch.ts';
import { CredentialDirectory } from './adapters/provisioning/credential-directory.ts';
import { parseAccessRules } from './domain/access/access-rule.ts';
import { DEFAULT_RULES, Gatekeeper } from './domain/access/gatekeeper.ts';
import { parseBootstrapTemplates } from './domain/bootstrap-templates.ts';
import type { BootstrapTemplate } from './domain/bootstrap-templates.ts';
import { DeviceReports } from './domain/device-reports.ts';
import type { PresenceListener } from './domain/device-reports.ts';
import { EventJournal } from './domain/events/event-journal.ts';
import { PlainDevices } from './domain/plain-devices.ts';
import { RecordForwarder } from './domain/record-forwarder.ts';
import { serviceError } from './errors.ts';
import type { Lwm2mServiceErrorCode } from './errors.ts';
import { EVENTS } from './events.ts';
import type { LWM2M_SERVER_SETTINGS } from './settings.ts';
import type { ServerStore } from './store/server-store.ts';
import { SqlStore } from './store/sql-store.ts';

/** What the service is started with. */
export type Lwm2mServiceContext = ServiceContext<typeof LWM2M_SERVER_SETTINGS>;

/** What both servers of the process share. */
export interface SharedParts {
  readonly runtime: Runtime;
  readonly models: ModelRegistry;
  readonly store: ServerStore;
  readonly credentials: GrpcClient<typeof provisioning.CredentialService>;
  readonly directory: CredentialDirectory;
  readonly revocations: RevocationWatch;
  readonly certificates: DeviceCertificates;
  readonly plain: PlainDevices;
  readonly publisher: MqttPublisher | RecordInbox;
  readonly journal: EventJournal;
  readonly reports: DeviceReports;
  readonly gatekeeper: Gatekeeper;
  readonly templates: readonly BootstrapTemplate[];
}

/**
 * Opens what the service works with.
 *
 * @param listener told where devices are
 */
export async function openSharedParts(
  context: Lwm2mServiceContext,
  runtime: Runtime,
  listener: PresenceListener,
): Promise<SharedParts> {
  const { settings, log, tls } = context;
  const { clock } = runtime;
  const models = await openModels(settings.modelFolder);
  const store = await openStore(context, runtime.timers);
  const credentials = createGrpcClient(provisioning.CredentialService, settings.provisioningTarget, tls);
  const publisher = await openPublisher(context, runtime);
  const directory = new CredentialDirectory(credentials, runtime, log);
  const revocations = openRevocations(context, runtime);
  const journal = await EventJournal.open({
    store: store.events,
    timers: runtime.timers,
    fresh: Buffer.from(runtime.rng.bytes(6)).toString('base64url'),
    kept: settings.eventsKept,
    count: (name, by) => log.count(name, by),
  });
  const forwarder = new RecordForwarder(publisher, (name, by) => log.count(name, by));
  return {
    runtime,
    store,
    credentials,
    publisher,
    journal,
    models,
    templates: readTemplates(settings.templateFile, models),
    directory,
    revocations,
    certificates: new DeviceCertificates(tls, directory, clock, (serial) => revocations.isRevoked(serial)),
    plain: new PlainDevices(settings.plainEndpoints),
    reports: new DeviceReports({ log, journal, forwarder, store, clock, listener }),
    gatekeeper: createGatekeeper(settings, store, runtime, log),
  };
}

function openRevocations({ settings, log, tls }: Lwm2mServiceContext, runtime: Runtime): RevocationWatch {
  const client = createGrpcClient(parties.RevocationService, settings.provisioningTarget, tls);
  const intervalMs = settings.revocationIntervalSeconds * 1000;
  const authorityPem = tls.authority.toString();
  const watch = new RevocationWatch({ client, authorityPem, runtime, log, intervalMs });
  watch.start();
  return watch;
}

async function openStore(
  { settings, log, dataFolder }: Lwm2mServiceContext,
  timers: Timers,
): Promise<ServerStore> {
  const onFailure = (error: unknown): void => log.emit(EVENTS.storeFailed, { error });
  const { databaseUrl, databaseSchema } = settings;
  try {
    const database =
      databaseUrl === ''
        ? new SqliteDatabase(join(dataFolder, 'state.sqlite'))
        : new PostgresDatabase(databaseUrl, databaseSchema, onFailure);
    return await SqlStore.open(database, timers, onFailure);
  } catch (cause) {
    const hint =
      databaseUrl === ''
        ? 'Check the data folder (SEFLEET_DATA) and the disk.'
        : 'Check DATABASE_URL and the database.';
    throw serviceError('LWM2M_STORE_UNAVAILABLE', 'the store cannot be opened', { cause, hint });
  }
}

function openPublisher(
  { settings, log, tls, dataFolder }: Lwm2mServiceContext,
  runtime: Runtime,
): MqttPublisher | Promise<RecordInbox> {
  if (settings.records === 'inbox')
    return RecordInbox.open(dataFolder, runtime, (error) => log.emit(EVENTS.storeFailed, { error }));
  return new MqttPublisher(settings.mqttUrl, tls, settings.maxPublishing, log);
}

async function openModels(folder: string): Promise<ModelRegistry> {
  const own = [APDU_EXCHANGE_MODEL, SEALED_RECORDS_MODEL];
  const given = folder === '' ? [] : await loadModelFolder(folder);
  return createModelRegistry([...own, ...given], omaModels());
}

function createGatekeeper(
  { accessFile, peers }: Lwm2mServiceContext['settings'],
  store: ServerStore,
  { clock }: Runtime,
  log: EventLog,
): Gatekeeper {
  const given =
    accessFile === ''
      ? DEFAULT_RULES
      : parseAccessRules(readGivenFile(accessFile, 'LWM2M_ACCESS_FILE_INVALID'));
  // The other servers ask who has a device; what they ask in a caller's name is judged by that caller's rule.
  const rules = peers === '' ? given : new Map([['lwm2m-server', {}], ...given]);
  return new Gatekeeper({
    rules,
    store,
    clock,
    refused: ({ caller, operation, endpoint, reason }) =>
      log.emit(EVENTS.accessRefused, { caller, operation, endpoint, reason }),
  });
}

function readTemplates(file: string, models: ModelRegistry): readonly BootstrapTemplate[] {
  if (file === '') return [];
  return parseBootstrapTemplates(readGivenFile(file, 'LWM2M_TEMPLATE_FILE_INVALID'), models);
}

function readGivenFile(path: string, code: Lwm2mServiceErrorCode): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw serviceError(code, `${path} cannot be read`, { cause, hint: 'Correct the setting that names it.' });
  }
}
