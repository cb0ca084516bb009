import { common } from '@sefleet/api';
import type { DeviceKind } from '../../device-kind.ts';

const TO_PROTO: Readonly<Record<DeviceKind, common.DeviceKind>> = {
  'smart-meter': common.DeviceKind.SMART_METER,
  obu: common.DeviceKind.OBU,
  'rpm-gateway': common.DeviceKind.RPM_GATEWAY,
};
const FROM_PROTO: ReadonlyMap<common.DeviceKind, DeviceKind> = new Map([
  [common.DeviceKind.SMART_METER, 'smart-meter'],
  [common.DeviceKind.OBU, 'obu'],
  [common.DeviceKind.RPM_GATEWAY, 'rpm-gateway'],
]);

export function kindToProto(kind: DeviceKind): common.DeviceKind {
  return TO_PROTO[kind];
}

/** Undefined for a kind that we do not know. */
export function kindFromProto(kind: common.DeviceKind): DeviceKind | undefined {
  return FROM_PROTO.get(kind);
}
