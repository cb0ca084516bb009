export { createLwm2mClient } from './client/create-client.ts';
export { LWM2M_CLIENT_ERRORS } from './client/errors.ts';
export type { Lwm2mClientErrorCode } from './client/errors.ts';
export { createCoapDownload } from './client/firmware-download.ts';
export type { RepositoryConnection } from './client/firmware-download.ts';
export type { Lwm2mClient } from './client/lwm2m-client.ts';
export { DEFAULT_CLIENT_SETTINGS } from './client/settings.ts';
export type {
  ConnectRequest,
  Lwm2mClientEvents,
  Lwm2mClientOptions,
  Lwm2mClientSettings,
  Lwm2mClientState,
  Lwm2mConnection,
  Lwm2mTransport,
} from './client/settings.ts';
export {
  APDU_COMMAND_PATH,
  APDU_EXCHANGE_MODEL,
  APDU_EXCHANGE_OBJECT_ID,
  APDU_RESPONSE_PATH,
} from './objects/apdu-exchange.ts';
export { APDU_SCRIPT_BYTES_MAX, decodeApduScript, encodeApduScript } from './objects/apdu-script.ts';
export {
  SEALED_RECORD_PATH,
  SEALED_RECORDS_MODEL,
  SEALED_RECORDS_OBJECT_ID,
} from './objects/sealed-records.ts';
export {
  cardKeyReference,
  parseCardKeyReference,
  parseStakeholderIdentity,
  stakeholderIdentity,
} from './objects/stakeholder-account.ts';
export type { CardKeyReference } from './objects/stakeholder-account.ts';
export { accountWrites } from './server/account-writes.ts';
export type { ServerAccountConfiguration } from './server/account-writes.ts';
export { createBootstrapServer } from './server/bootstrap-server.ts';
export type {
  BootstrapConfiguration,
  BootstrapFindings,
  BootstrapInspection,
  BootstrapServer,
  BootstrapServerEvents,
  BootstrapServerOptions,
  BootstrapWrite,
} from './server/bootstrap.ts';
export { AnnouncementTable } from './server/announcement-table.ts';
export { credentialName } from './server/credential-name.ts';
export type {
  CreateResult,
  DeviceOperations,
  DiscoverResult,
  NotificationAttributes,
  OperationOptions,
  WriteOptions,
  OperationResult,
  ReadResult,
} from './server/device-operations.ts';
export { isGateway } from './server/end-devices.ts';
export type { EndDevice } from './server/end-devices.ts';
export { LWM2M_SERVER_ERRORS } from './server/errors.ts';
export type { Lwm2mServerErrorCode } from './server/errors.ts';
export type { Lwm2mServer, RegisteredDevice } from './server/lwm2m-server.ts';
export { createLwm2mServer } from './server/management-server.ts';
export type { Announcement, Registration } from './server/registration.ts';
export { DEFAULT_SERVER_LIMITS } from './server/settings.ts';
export type {
  AuthorisedDevice,
  DeviceAuthoriser,
  Lwm2mServerEvents,
  Lwm2mServerLimits,
  Lwm2mServerOptions,
  Refusal,
  ReportConsumer,
  SendVerdict,
} from './server/settings.ts';
export { createVolatileStore } from './server/store.ts';
export type { Lwm2mServerStore, StoredObservation, StoredState } from './server/store.ts';
