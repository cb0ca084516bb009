import type { Connectivity } from '../device/connectivity.ts';
import type { DeviceKind } from '../device-kind.ts';
import type { DeviceIdentity } from '../store/fleet-store.ts';

/** A device that is to be made. */
interface DeviceOrder {
  readonly endpoint: string;
  readonly kind: DeviceKind;
  readonly connectivity: Connectivity;
}

/** What the factory delivers: a device's identity and its card. */
export type DeliveredDevice = Omit<DeviceIdentity, 'number' | 'connectivity'> & {
  readonly cardImage: Uint8Array;
};

/** Where cards come from. */
export interface CardSource {
  /** Delivers what was ordered, in parts, as soon as each is done. Ordering again gives the same cards. */
  order(devices: readonly DeviceOrder[], signal: AbortSignal): AsyncIterable<readonly DeliveredDevice[]>;
}
