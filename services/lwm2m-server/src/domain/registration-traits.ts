import type { Lwm2mPath } from '@sefleet/lwm2m';
import type { RegisteredDevice } from '@sefleet/lwm2m-coap';

/** What a registration has to be; what is undefined does not matter. */
export interface RegistrationTraits {
  readonly sleeping: boolean | undefined;
  readonly reachable: boolean | undefined;
  /** Objects and instances that the device announces, all of them. */
  readonly objects: readonly Lwm2mPath[];
  readonly version: string | undefined;
  /** Letters of binding modes, `Q` for queue mode: the device has all of them. */
  readonly binding: string;
  readonly expiresWithinSeconds: number | undefined;
  /** Since the last Register or Update. */
  readonly silentForSeconds: number | undefined;
  readonly gateway: string | undefined;
}

/** True when a device is all of that at `nowMs`, wall clock. */
export function hasTraits(device: RegisteredDevice, traits: RegistrationTraits, nowMs: number): boolean {
  const { registration, sleeping, reachable, gateway } = device;
  const { version, binding, queueMode, updatedAtMs, lifetimeSeconds } = registration;
  const silentSeconds = (nowMs - updatedAtMs) / 1000;
  const leftSeconds = lifetimeSeconds === 0 ? Infinity : lifetimeSeconds - silentSeconds;
  return (
    is(traits.sleeping, sleeping) &&
    is(traits.reachable, reachable) &&
    is(traits.version, version) &&
    is(traits.gateway, gateway) &&
    traits.binding.split('').every((mode) => (mode === 'Q' ? queueMode : binding.includes(mode))) &&
    leftSeconds <= (traits.expiresWithinSeconds ?? Infinity) &&
    silentSeconds >= (traits.silentForSeconds ?? -Infinity) &&
    traits.objects.every((wanted) => announces(device, wanted))
  );
}

function is<T>(wanted: T | undefined, value: T | undefined): boolean {
  return wanted === undefined || wanted === value;
}

/** An object is announced by itself or by an instance of it. */
function announces({ registration, gateway }: RegisteredDevice, wanted: Lwm2mPath): boolean {
  // What a gateway announces below a prefix belongs to the device behind it.
  return registration.announcement.objects.some(
    ({ path, prefix }) => (gateway !== undefined || prefix === undefined) && wanted.contains(path),
  );
}
