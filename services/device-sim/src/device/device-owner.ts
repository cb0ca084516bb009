import type { DeviceKind } from '../device-kind.ts';
import type { DeviceFirmware } from './device-firmware.ts';
import type { SupplyContract } from './supply-contract.ts';

/** The device behind an object tree, as its objects see it. */
export interface DeviceOwner {
  readonly endpoint: string;
  readonly kind: DeviceKind;
  readonly serialNumber: string;
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** The newest value of a metric; undefined before the first reading. */
  measured(metric: string): number | undefined;
  /** The newest sealed record; undefined before the first. */
  newestRecord(): Uint8Array | undefined;
  /**
   * Runs a script of command APDUs on the secure element; what changed on the card is on disk when it
   * resolves. The answers come when a chip would have given the last of them.
   */
  runApduScript(script: Uint8Array): Promise<Uint8Array>;
  /** `value`, once a chip would have done all that it was asked. */
  whenCardIsDone<T>(value: T): T | Promise<T>;
  /** Its part in changes of supplier. */
  readonly supply: SupplyContract;
  /** What it runs, and updates of it. */
  readonly firmware: DeviceFirmware;
  /** Switches off and on again, once the answer is on its way. */
  reboot(): void;
}
