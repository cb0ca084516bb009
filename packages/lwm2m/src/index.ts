export { LWM2M_ERRORS, lwm2mError } from './errors.ts';
export type { Lwm2mErrorCode } from './errors.ts';
export { ID_MAX, Lwm2mPath } from './model/path.ts';
export { fitsType, isMultiple, isObjectLink, NULL_LINK, typeOfValue, valuesEqual } from './model/value.ts';
export type { Lwm2mValue, ObjectLink, ResourceType, ResourceValue } from './model/value.ts';
export { parseOperations } from './model/object-model.ts';
export type { ObjectModel, ResourceModel, ResourceOperations } from './model/object-model.ts';
export { loadModelFolder, parseModelXml } from './model/ddf.ts';
export { omaModels } from './model/oma-models.ts';
export { compareVersions, createModelRegistry, modelsForVersions } from './model/model-registry.ts';
export type { ModelRegistry } from './model/model-registry.ts';
export { CONTENT_FORMAT, DATA_FORMATS, isContentFormat } from './content/content-format.ts';
export type { ContentFormat } from './content/content-format.ts';
export type { Lwm2mEntry } from './content/entry.ts';
export { decodeContent, encodeContent } from './content/codec.ts';
export type { DecodeOptions } from './content/codec.ts';
export { decodeLinks, encodeLinks, linkPath, nodeLink } from './content/links.ts';
export type { CoreLink } from './content/links.ts';
export { ACCESS, isAllowed } from './device/access-control.ts';
export type { Access, Requester } from './device/access-control.ts';
export {
  AttributeStore,
  attributeTexts,
  formatAttributeQueries,
  observeAttributes,
  parseAttributeQueries,
} from './device/attributes.ts';
export type { AttributeChange, AttributeName, NotificationAttributes } from './device/attributes.ts';
export { discover, discoverForBootstrap, registrationLinks } from './device/discover.ts';
export { formatExecuteArguments, parseExecuteArguments } from './device/execute-arguments.ts';
export type { ExecuteArguments } from './device/execute-arguments.ts';
export { createInstance, deleteInstance, executeResource } from './device/lifecycle.ts';
export { startNotification, stepNotification } from './device/notification.ts';
export type { NotificationDecision, NotificationState, Sample } from './device/notification.ts';
export { Lwm2mObject, ObjectInstance, ObjectTree } from './device/object-tree.ts';
export type { ObjectBehaviour, ObjectDefinition, TreeListener } from './device/object-tree.ts';
export { readComposite, readEntries } from './device/read.ts';
export { writeComposite, writeEntries } from './device/write.ts';
export {
  LIFETIME_DEFAULT_SECONDS,
  parseRegistration,
  parseRegistrationUpdate,
  registrationPayload,
  registrationQueries,
} from './registration/registration-request.ts';
export type {
  RegisteredObject,
  RegistrationRequest,
  RegistrationUpdate,
} from './registration/registration-request.ts';
export type { CreatedInstance } from './device/lifecycle.ts';
export {
  bootstrapAccount,
  OBJECT_ID,
  readSecurity,
  readServer,
  RETRY_DEFAULT,
  SECURITY_MODE,
  SECURITY_RESOURCE,
  SERVER_RESOURCE,
  serverAccounts,
} from './accounts/accounts.ts';
export type { RetryParameters, SecurityAccount, SecurityMode, ServerAccount } from './accounts/accounts.ts';
export {
  bootstrapDelete,
  bootstrapFault,
  bootstrapWrite,
  snapshotTree,
} from './bootstrap/bootstrap-rules.ts';
export { registrationStep } from './registration/registration-machine.ts';
export type {
  RegistrationEffect,
  RegistrationInput,
  RegistrationState,
} from './registration/registration-machine.ts';
export { afterFailure, updateAfterSeconds } from './registration/retry-plan.ts';
export type { RetryStep } from './registration/retry-plan.ts';
export { defineObject, DEVICE_RESOURCE, enablerObjects } from './objects/enabler-objects.ts';
export type { DeviceHooks } from './objects/enabler-objects.ts';
export {
  decodeFirmwareImage,
  encodeFirmwareImage,
  encodeFirmwareManifest,
} from './objects/firmware-image.ts';
export type { FirmwareImage, FirmwareManifest } from './objects/firmware-image.ts';
export { FIRMWARE_RESULT, FIRMWARE_STATE, firmwareStep } from './objects/firmware-machine.ts';
export type {
  FirmwareInput,
  FirmwareResult,
  FirmwareState,
  FirmwareStep,
} from './objects/firmware-machine.ts';
export {
  FIRMWARE_RESOURCE,
  firmwareDefaults,
  firmwareUpdateObject,
  recoverFirmware,
} from './objects/firmware-update.ts';
export type { FirmwareHooks, FirmwareVerdict } from './objects/firmware-update.ts';
export {
  BOOTSTRAP_FILE_BYTES_MAX,
  bootstrapFromCard,
  decodeBootstrapFile,
  EF_DODF_BOOTSTRAP,
  EF_LWM2M_BOOTSTRAP,
  EF_ODF,
  encodeBootstrapFile,
  encodeDodf,
  encodeOdf,
  findBootstrapFile,
  findDodf,
  PKCS15_AID,
} from './smartcard/bootstrap-file.ts';
export type { BootstrapFileObject } from './smartcard/bootstrap-file.ts';
export {
  announceEndDevice,
  endDeviceInstance,
  endDeviceLinks,
  GATEWAY_OBJECT_ID,
  GATEWAY_RESOURCE,
} from './objects/gateway.ts';
