import type { Lwm2mEntry, Lwm2mPath, ObjectTree, RegistrationState } from '@sefleet/lwm2m';
import type { Lwm2mClientState } from './settings.ts';

/** A device's side of LwM2M: bootstrap, registration with each server, what servers ask, and Send. */
export interface Lwm2mClient {
  readonly endpointName: string;
  readonly tree: ObjectTree;
  readonly state: Lwm2mClientState;
  /**
   * Registers with every server account, or bootstraps first when there is none. Resolves at the first
   * registration; retries go on as the accounts say.
   *
   * @throws SefleetError `LWM2M_NO_ACCOUNT`; `LWM2M_REGISTRATION_FAILED` when nothing is left to try;
   *   `LWM2M_CLIENT_STOPPED` when it is stopped before
   */
  start(): Promise<void>;
  /** De-registers and closes all connections. */
  stop(): Promise<void>;
  /** Ends without a word, as a device that loses power; `start` then is its reboot. */
  powerOff(): Promise<void>;
  /** Client-initiated bootstrap now, then registration anew. As `start`. */
  bootstrap(): Promise<void>;
  /** Sends an Update to each server, or to one. */
  update(shortServerId?: number): void;
  /**
   * Send (Core §6.4.6): reports entries, or the present values at paths, and resolves when the server has
   * answered 2.04.
   * Without a registration they wait, with the time of now, and travel together later.
   *
   * @throws SefleetError `LWM2M_SEND_DROPPED`, `LWM2M_SEND_REFUSED`, `LWM2M_SEND_MUTED`,
   * `LWM2M_CLIENT_STOPPED`
   */
  send(what: readonly Lwm2mEntry[] | readonly Lwm2mPath[], shortServerId?: number): Promise<void>;
  /**
   * Puts an end device behind this gateway: servers reach its tree below `/{prefix}` and find it in object
   * 25, which the gateway's tree has to have (LwM2M Gateway 1.1).
   *
   * @throws SefleetError `LWM2M_BAD_REQUEST`, `LWM2M_CONFLICT`, `LWM2M_NOT_FOUND`
   */
  attachEndDevice(deviceId: string, prefix: string, endDevice: ObjectTree): void;
  /** Takes an end device away again. */
  detachEndDevice(prefix: string): void;
  /** The servers and where their registrations stand. */
  servers(): readonly {
    readonly shortServerId: number;
    readonly state: RegistrationState;
    readonly location: string | undefined;
  }[];
  /** Registered with every server that it has an account of; false without one. */
  readonly isWithAllServers: boolean;
  /** Observations that servers hold on this device. */
  readonly observationCount: number;
  /** Entries that wait to be sent. */
  readonly outboxSize: number;
}
