// The door of the generated code: one line a file of proto/, one name a message that programs build by hand.
export * as common from './gen/sefleet/common/v1/common_pb.js';
export * as fleet from './gen/sefleet/fleet/v1/fleet_pb.js';
export * as management from './gen/sefleet/management/v1/management_pb.js';
export * as recordInbox from './gen/sefleet/management/v1/record_inbox_pb.js';
export * as parties from './gen/sefleet/parties/v1/parties_pb.js';
export * as provisioning from './gen/sefleet/provisioning/v1/provisioning_pb.js';
export * as simulation from './gen/sefleet/simulation/v1/simulation_pb.js';
export * as switching from './gen/sefleet/switching/v1/switching_pb.js';
export * as telemetry from './gen/sefleet/telemetry/v1/telemetry_pb.js';
export * as secureElement from './gen/sefleet/secure_element/v1/secure_element_pb.js';
