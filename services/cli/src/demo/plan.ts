import { common } from '@sefleet/api';

/** What a demo is asked to do. */
export interface DemoPlan {
  readonly meters: number;
  readonly obus: number;
  readonly gateways: number;
  readonly durationSeconds: number;
  readonly seed: number;
}

/** A kind of device with the name that reports use and how many of them there are. */
export interface PlannedKind {
  readonly kind: common.DeviceKind;
  readonly name: string;
  readonly count: number;
}

/** The plan by kind, in the order of reports. */
export function plannedKinds(plan: DemoPlan): readonly PlannedKind[] {
  return [
    { kind: common.DeviceKind.SMART_METER, name: 'smart-meter', count: plan.meters },
    { kind: common.DeviceKind.OBU, name: 'obu', count: plan.obus },
    { kind: common.DeviceKind.RPM_GATEWAY, name: 'rpm-gateway', count: plan.gateways },
  ];
}

/** Devices in all. */
export function totalDevices(plan: DemoPlan): number {
  return plan.meters + plan.obus + plan.gateways;
}
