import type { fleet } from '@sefleet/api';
import type { Timestamp } from '@bufbuild/protobuf/wkt';

/**
 * A message as its JSON form has it (ProtoJSON): 64-bit numbers and timestamps are text, enums are their
 * names. Computed from the generated types, so that a change of the contract shows here.
 */
export type Wire<T> = T extends bigint
  ? string
  : T extends Timestamp
    ? string
    : T extends readonly (infer Item)[]
      ? Wire<Item>[]
      : T extends number
        ? `${number}` extends `${T}`
          ? number
          : string
        : T extends object
          ? { [K in keyof T as K extends `$${string}` ? never : K]: Wire<T[K]> }
          : T;

export type FleetState = Wire<fleet.FleetState>;
export type KindState = Wire<fleet.KindState>;
export type RotationState = Wire<fleet.RotationState>;
export type DeviceSummary = Wire<fleet.DeviceSummary>;
export type DeviceDetail = Wire<fleet.GetDeviceResponse>;
export type SecurityDomain = Wire<fleet.SecurityDomain>;
export type Reading = Wire<fleet.Reading>;
export type DevicePage = Wire<fleet.ListDevicesResponse>;
