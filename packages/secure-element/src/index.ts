export { SECURE_ELEMENT_ERRORS } from './errors.ts';
export type { SecureElementErrorCode } from './errors.ts';
export type { CardPersonalisation, CardPorts, Commit, SecureElement } from './card/secure-element.ts';
export { createCard, exportCard, importCard } from './card/create-card.ts';
export { describeCard } from './card/description.ts';
export type { CardDescription, EntryDescription, KeyDescription } from './card/description.ts';
export type { CardAnchor, Life, Lineage } from './card/lineage.ts';
export type { ImportOptions } from './card/create-card.ts';
export { readImageHeader } from './image/card-state-codec.ts';
export type { ImageHeader } from './image/card-state-codec.ts';
export type { CardProfile, PreloadedLoadFile } from './profiles/card-profile.ts';
export {
  ISSUER_SECURITY_DOMAIN,
  SECURITY_DOMAIN_LOAD_FILE,
  SECURITY_DOMAIN_MODULE,
  STANDARD_PROFILE,
} from './profiles/standard-profile.ts';
export {
  FIRMWARE_AUTHORITY_KEY,
  IOT_SAFE_INSTANCE,
  IOT_SAFE_LOAD_FILE,
  IOT_SAFE_MODULE,
} from './applets/iot-safe/identifiers.ts';
export { CONTAINER_TYPE as KEY_CONTAINER_TYPE } from './applets/iot-safe/iot-safe-protocol.ts';
export { BOOTSTRAP_LOAD_FILE, BOOTSTRAP_MODULE, PKCS15_INSTANCE } from './applets/bootstrap/identifiers.ts';
export { decodeBootstrapFile, encodeBootstrapFile } from './applets/bootstrap/bootstrap-file.ts';
export type { BootstrapObject } from './applets/bootstrap/bootstrap-file.ts';
export { bootstrapPersonalisationCommands, readSmartcardBootstrap } from './clients/bootstrap-client.ts';
export { METERING_LOAD_FILE, METERING_MODULE } from './applets/metering/identifiers.ts';
export { encodeTariff } from './applets/metering/tariff.ts';
export type { Tariff, TariffSwitch } from './applets/metering/tariff.ts';
export { VEHICLE_LOAD_FILE, VEHICLE_MODULE } from './applets/vehicle/identifiers.ts';
export { VITAL_SIGNS_LOAD_FILE, VITAL_SIGNS_MODULE } from './applets/vital-signs/identifiers.ts';
export { encodeBounds } from './applets/vital-signs/vital-signs-applet.ts';
export type { VitalBounds } from './applets/vital-signs/vital-signs-applet.ts';
export { IotSafeClient } from './clients/iot-safe-client.ts';
export type { MasterSecretInput } from './clients/iot-safe-client.ts';
export {
  cutOverOrder,
  readRecordsStatus,
  RecordsClient,
  recordsStatusCommand,
} from './clients/records-client.ts';
export type { CutOverRecords, RecordsStatus } from './clients/records-client.ts';
export { decodeDeviceOrder, readerOrder } from './clients/reader-order.ts';
export type { DeviceOrder } from './clients/reader-order.ts';
export { recordAccountCommands } from './clients/record-account.ts';
export type { CutOverGrant, RecordAccountPlan } from './clients/record-account.ts';
export {
  clearCommand,
  ownerStatusCommand,
  readMeterRegisters,
  readVehicleDiagnostics,
  readVitalSignsAlarm,
  tariffCommands,
  vitalBoundsCommands,
} from './clients/measuring-owner.ts';
export type { MeterRegisters, VehicleDiagnostics, VitalSignsAlarm } from './clients/measuring-owner.ts';
export type { LocalTransmit } from './clients/applet-link.ts';
export { iotSafePersonalisationCommands } from './clients/iot-safe-personalisation.ts';
export type { IotSafeContainer } from './clients/iot-safe-personalisation.ts';
export { SecretMask } from './trace/secret-mask.ts';
export type { ShownExchange } from './trace/secret-mask.ts';
export { commandTimeMs } from './timing/command-time.ts';
export { parseTimingCosts, TIMING_COSTS_FORM } from './timing/timing-costs.ts';
export type { TimingCosts } from './timing/timing-costs.ts';
export {
  computedMs,
  JAVA_CARD_2015,
  TLS_FULL_SESSION,
  TLS_RECORD_1024,
  TLS_RESUMED_SESSION,
  tlsExchangeMs,
} from './timing/timing-profile.ts';
export type { OperationCount, TimingProfile } from './timing/timing-profile.ts';
export { defineApplet } from './applets/applet.ts';
export type { Answer, AppletContext, AppletDefinition, AppletProgram } from './applets/applet.ts';
export { encodePackage } from './applets/package.ts';
export type { AppletPackage } from './applets/package.ts';
export { refuse } from './card/refusal.ts';
