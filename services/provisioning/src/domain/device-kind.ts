/** What a device is. */
export type DeviceKind = 'smart-meter' | 'obu' | 'rpm-gateway';

/** All kinds, in the order of the contract. */
export const DEVICE_KINDS: readonly DeviceKind[] = ['smart-meter', 'obu', 'rpm-gateway'];
