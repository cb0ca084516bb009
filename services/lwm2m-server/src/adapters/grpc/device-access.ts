import type { Lwm2mPath } from '@sefleet/lwm2m';
import type { Lwm2mServer, RegisteredDevice } from '@sefleet/lwm2m-coap';
import type { CallContext } from '@sefleet/service';
import type { AccessRule, CallerOperation } from '../../domain/access/access-rule.ts';
import type { Gatekeeper } from '../../domain/access/gatekeeper.ts';

/** Gives callers the devices that they may touch. */
export class DeviceAccess {
  readonly #server: Lwm2mServer;
  readonly #gatekeeper: Gatekeeper;

  constructor(server: Lwm2mServer, gatekeeper: Gatekeeper) {
    this.#server = server;
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
    return this.#server.device(endpoint);
  }

  /** As {@link DeviceAccess.device} for a device that need not be registered now. */
  checkEndpoint(
    { caller }: Pick<CallContext, 'caller'>,
    operation: CallerOperation,
    endpoint: string,
    paths: readonly Lwm2mPath[],
  ): void {
    const kind = this.#server.find(endpoint)?.registration.kind ?? '';
    this.#gatekeeper.require({ caller, operation, device: { endpoint, kind }, paths });
  }

  /** Lets a caller do what concerns no single device. @throws SefleetError `LWM2M_ACCESS_FORBIDDEN` */
  require({ caller }: Pick<CallContext, 'caller'>, operation: CallerOperation): AccessRule {
    return this.#gatekeeper.require({ caller, operation });
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
    const kind = this.#server.find(endpoint)?.registration.kind ?? '';
    return this.#gatekeeper.refuse({ caller, operation, device: { endpoint, kind } }, reason);
  }
}
