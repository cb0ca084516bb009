import type { DeviceLife, ReadingSupply, VirtualDevice } from '../device/virtual-device.ts';
import type { StoredDevice } from '../store/fleet-store.ts';

/** What a rehearsal decides about the devices of a fleet; without one a fleet decides itself. */
export interface FleetHooks {
  /** The time in which a device lives. */
  lifeOf(endpoint: string): DeviceLife;
  readingsOf(stored: StoredDevice): ReadingSupply;
  /** The way of a script to the card. */
  exchange(device: VirtualDevice, commands: readonly Uint8Array[]): readonly Uint8Array[];
  /** True while a device has no network. */
  isAway(endpoint: string): boolean;
  /** A device has been put up; it is switched on next. */
  created(device: VirtualDevice): void;
}
