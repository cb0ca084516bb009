import type { CoapEndpoint, RequestHandler } from '@sefleet/coap';
import type { Peer } from '@sefleet/runtime';
import type { DeviceOperations, OperationOptions } from './device-operations.ts';
import type { EndDevice } from './end-devices.ts';
import type { Registration } from './registration.ts';

/** A registered device: what is known of it and what can be asked of it. */
export interface RegisteredDevice extends DeviceOperations {
  readonly registration: Registration;
  /** True while the device can be sent to: it has a connection and is not asleep. */
  readonly reachable: boolean;
  /** True for a queue-mode device whose awake time is over. */
  readonly sleeping: boolean;
  /** The gateway that it is behind; undefined for a device of its own. */
  readonly gateway: string | undefined;
  /** Paths of the observations that are wanted of it. */
  observations(): readonly (readonly string[])[];
}

/** A management server (Core §6.2 to §6.5) on any number of CoAP endpoints. */
export interface Lwm2mServer {
  /** Takes a transport into use: `connect` makes a CoAP endpoint with the given handler. */
  listen(connect: (handler: RequestHandler) => CoapEndpoint): CoapEndpoint;
  /** Loads what the store kept; to be called once, before the first `listen`. */
  restore(): Promise<void>;
  /** The device under that endpoint name, or undefined. */
  find(endpoint: string): RegisteredDevice | undefined;
  /** As `find`; throws `LWM2M_DEVICE_NOT_FOUND`. */
  device(endpoint: string): RegisteredDevice;
  /**
   * The end devices behind a gateway, asked of it (object 25); none for a device that is no gateway.
   *
   * @throws SefleetError `LWM2M_DEVICE_NOT_FOUND` and what operations throw
   */
  endDevices(endpoint: string, options?: OperationOptions): Promise<readonly EndDevice[]>;
  /** An end device behind a gateway, as a device: its operations go through the gateway. */
  endDevice(gateway: string, endDevice: EndDevice): RegisteredDevice | undefined;
  /** Every registered device, in no order. */
  devices(): Iterable<RegisteredDevice>;
  readonly size: number;
  /**
   * Takes a session over that was made before this server ran: its device can be sent to without having
   * spoken.
   *
   * @returns false when the peer's credential belongs to no registered device
   */
  adopt(coap: CoapEndpoint, peer: Peer): Promise<boolean>;
  /** To be called when the channel lost a peer: what waits for it fails at once instead of timing out. */
  peerGone(peer: Peer): void;
  /** Counters since the start, by name. */
  counters(): Readonly<Record<string, number>>;
  /** Closes the endpoints and flushes the store. */
  close(): Promise<void>;
}
