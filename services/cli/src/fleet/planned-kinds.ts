import { common } from '@sefleet/api';

/** How many devices of which kind. */
export interface DeviceCounts {
  readonly meters: number;
  readonly obus: number;
  readonly gateways: number;
}

/** A kind of device with the name that reports use and how many of them there are. */
export interface PlannedKind {
  readonly kind: common.DeviceKind;
  readonly name: string;
  readonly count: number;
}

/** The counts by kind, in the order of reports. */
export function plannedKinds({ meters, obus, gateways }: DeviceCounts): readonly PlannedKind[] {
  return [
    { kind: common.DeviceKind.SMART_METER, name: 'smart-meter', count: meters },
    { kind: common.DeviceKind.OBU, name: 'obu', count: obus },
    { kind: common.DeviceKind.RPM_GATEWAY, name: 'rpm-gateway', count: gateways },
  ];
}

/** Devices in all. */
export function totalDevices({ meters, obus, gateways }: DeviceCounts): number {
  return meters + obus + gateways;
}
