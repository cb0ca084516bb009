import { common } from '@sefleet/api';

/** Kinds of devices as topics, logs and the store name them. */
const NAMES: readonly (readonly [common.DeviceKind, string])[] = [
  [common.DeviceKind.SMART_METER, 'smart-meter'],
  [common.DeviceKind.OBU, 'obu'],
  [common.DeviceKind.RPM_GATEWAY, 'rpm-gateway'],
];

/** The name of a kind, empty for none. */
export function kindName(kind: common.DeviceKind): string {
  return NAMES.find(([value]) => value === kind)?.[1] ?? '';
}

/** The kind of a name. */
export function kindOf(name: string): common.DeviceKind {
  return NAMES.find(([, known]) => known === name)?.[0] ?? common.DeviceKind.UNSPECIFIED;
}
