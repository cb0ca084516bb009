import type { CoreLink, ContentFormat, Lwm2mEntry, Lwm2mPath } from '@sefleet/lwm2m';

/** How one operation is made. */
export interface OperationOptions {
  /** Milliseconds for all of it, waiting for the device to wake included. */
  readonly timeoutMs?: number;
  /**
   * What happens when the device is asleep or has no connection: `fail` at once with
   * `LWM2M_DEVICE_UNAVAILABLE`, or `wait` for its next message. Default: `wait` for a queue-mode device,
   * `fail` for others.
   */
  readonly whenAway?: 'fail' | 'wait';
  readonly signal?: AbortSignal;
}

/** How values are sent to a device. */
export interface WriteOptions extends OperationOptions {
  /** Content format on the wire; without it one that the device announced, else its version's own. */
  readonly contentFormat?: ContentFormat;
}

/** The device's answer. A CoAP error is an answer too. */
export interface OperationResult {
  /** CoAP code as on the wire. */
  readonly code: number;
  /** True for 2.xx. */
  readonly success: boolean;
}

export interface ReadResult extends OperationResult {
  /** Empty unless the answer is 2.05. */
  readonly entries: readonly Lwm2mEntry[];
  readonly payload: Uint8Array;
  readonly contentFormat: number | undefined;
}

export interface CreateResult extends OperationResult {
  /** Of the new instance, when the device chose its id. */
  readonly location: string | undefined;
}

export interface DiscoverResult extends OperationResult {
  readonly links: readonly CoreLink[];
  /** As the device sent it. */
  readonly linkFormat: string;
}

/**
 * Attributes of Write-Attributes by name (`pmin`, `pmax`, `gt`, `lt`, `st`, ...); null removes one (Core
 * §7.3.2).
 */
export type NotificationAttributes = Readonly<Record<string, number | string | null>>;

/**
 * What a server can ask of one device (Core §6.3, §6.4).
 *
 * Every method throws SefleetError `LWM2M_DEVICE_UNAVAILABLE`, `LWM2M_OPERATION_TIMEOUT`,
 * `LWM2M_OPERATION_QUEUE_FULL`, `LWM2M_OPERATION_INVALID`, and what CoAP throws for a conversation that
 * breaks.
 */
export interface DeviceOperations {
  read(path: Lwm2mPath, accept?: ContentFormat, options?: OperationOptions): Promise<ReadResult>;
  /** `replace` (PUT) or `update` (POST); entries lie at or below `path`. */
  write(
    path: Lwm2mPath,
    entries: readonly Lwm2mEntry[],
    mode: 'replace' | 'update',
    options?: WriteOptions,
  ): Promise<OperationResult>;
  /** Replaces one opaque resource without framing: what is large travels best so. */
  writeOpaque(path: Lwm2mPath, value: Uint8Array, options?: OperationOptions): Promise<OperationResult>;
  execute(path: Lwm2mPath, args?: string, options?: OperationOptions): Promise<OperationResult>;
  /** Creates an instance of `path`'s object; with depth 2 the instance id is the server's choice. */
  create(path: Lwm2mPath, entries: readonly Lwm2mEntry[], options?: WriteOptions): Promise<CreateResult>;
  delete(path: Lwm2mPath, options?: OperationOptions): Promise<OperationResult>;
  discover(path: Lwm2mPath, options?: OperationOptions): Promise<DiscoverResult>;
  writeAttributes(
    path: Lwm2mPath,
    attributes: NotificationAttributes,
    options?: OperationOptions,
  ): Promise<OperationResult>;
  readComposite(paths: readonly Lwm2mPath[], options?: OperationOptions): Promise<ReadResult>;
  writeComposite(entries: readonly Lwm2mEntry[], options?: WriteOptions): Promise<OperationResult>;
  /**
   * Observes one path, or several with Observe-Composite. Notifications go to the server's consumer. The
   * wish is kept: a device that registers again or comes back on a new session is observed again.
   */
  observe(paths: readonly Lwm2mPath[], options?: OperationOptions): Promise<ReadResult>;
  /** Withdraws the wish and tells the device if it can be reached; false when there was none. */
  cancelObservation(paths: readonly Lwm2mPath[]): Promise<boolean>;
}
