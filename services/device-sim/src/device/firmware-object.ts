import { firmwareDefaults, firmwareUpdateObject, omaModels, type FirmwareHooks } from '@sefleet/lwm2m';
import type { DeviceOwner } from './device-owner.ts';

/** Bytes of a package: as many as CoAP takes in one body unless it is told otherwise. */
const PACKAGE_BYTES_MAX = 1_048_576;
/** Resource 8 of Firmware Update (Core appendix E.6). */
const PROTOCOL = { COAP: 0, COAPS: 1 } as const;

/** What the simulated devices do with packages: the device that owns the instance does it. */
const FIRMWARE_HOOKS: FirmwareHooks<DeviceOwner> = {
  protocols: [PROTOCOL.COAP, PROTOCOL.COAPS],
  packageBytesMax: PACKAGE_BYTES_MAX,
  download: ({ firmware }, uri, signal) => firmware.download(uri, signal),
  verify: (device, image) => device.whenCardIsDone(device.firmware.receive(image)),
  apply: ({ firmware }) => firmware.apply(),
  discard: ({ firmware }) => firmware.discard(),
};

/** Firmware Update, object 5, of simulated devices: push and pull, checked by the secure element. */
export const FIRMWARE_OBJECT = firmwareUpdateObject(omaModels(), FIRMWARE_HOOKS);

/** The values of instance 0 as it leaves the factory. */
export const FIRMWARE_DEFAULTS = firmwareDefaults(FIRMWARE_HOOKS);
