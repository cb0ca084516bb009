import type { Lwm2mPath } from '@sefleet/lwm2m';
import type { RegisteredDevice } from '@sefleet/lwm2m-coap';
import type { CallContext } from '@sefleet/service';
import type { AccessRule, CallerOperation } from '../../domain/access/access-rule.ts';
import type { Gatekeeper } from '../../domain/access/gatekeeper.ts';
import type { FleetDirectory } from '../../domain/fleet-directory.ts';

/** Gives callers the devices that they may touch. */
export class DeviceAccess {
  readonly #fleet: FleetDirectory;
  readonly #gatekeeper: Gatekeeper;

  constructor(fleet: FleetDirectory, gatekeeper: Gatekeeper) {
    this.#fleet = fleet;
    this.#gatekeeper = gatekeeper;
  }

  /**
   * The device, when the caller may do that to those paths of it.
   *
   * @throws SefleetError `LWM2M_ACCESS_FORBIDDEN`, `LWM2M_DEVICE_NOT_FOUND`
   */
  device(
    { caller }: Pick<CallContext, 'caller'>,
    operation: CallerOperation,
    endpoint: string,
    paths: readonly Lwm2mPath[] = [],
  ): RegisteredDevice {
    this.checkEndpoint({ caller }, operation, endpoint, paths);
    return this.#fleet.device(endpoint);
  }

  /** As {@link DeviceAccess.device} for a device that need not be registered now. */
  checkEndpoint(
    { caller }: Pick<CallContext, 'caller'>,
    operation: CallerOperation,
    endpoint: string,
    paths: readonly Lwm2mPath[],
  ): void {
    this.#gatekeeper.require({ caller, operation, device: this.#holderOf(endpoint), paths });
  }

  /** Lets a caller do what concerns no single device. @throws SefleetError `LWM2M_ACCESS_FORBIDDEN` */
  require({ caller }: Pick<CallContext, 'caller'>, operation: CallerOperation): AccessRule {
    return this.#gatekeeper.require({ caller, operation });
  }

  /** True when the caller may with that device; for filters. */
  allowsDevice(context: Pick<CallContext, 'caller'>, operation: CallerOperation, endpoint: string): boolean {
    return this.allows(context, operation, this.#holderOf(endpoint));
  }

  /** True when the caller may; for filters. */
  allows(
    { caller }: Pick<CallContext, 'caller'>,
    operation: CallerOperation,
    device: { readonly endpoint: string; readonly kind: string },
    paths: readonly Lwm2mPath[] = [],
  ): boolean {
    return this.#gatekeeper.allows({ caller, operation, device, paths });
  }

  /** Records a refusal. @returns the error to throw */
  refuse(
    { caller }: Pick<CallContext, 'caller'>,
    operation: CallerOperation,
    endpoint: string,
    reason: string,
  ): Error {
    return this.#gatekeeper.refuse({ caller, operation, device: this.#holderOf(endpoint) }, reason);
  }

  /** Who reaches a device reaches what is behind it: of an end device, the gateway's name and kind decide. */
  #holderOf(endpoint: string): { readonly endpoint: string; readonly kind: string } {
    const device = this.#fleet.find(endpoint);
    const gateway = device?.gateway === undefined ? undefined : this.#fleet.find(device.gateway);
    const holder = gateway ?? device;
    return holder === undefined ? { endpoint, kind: '' } : holder.registration;
  }
}
