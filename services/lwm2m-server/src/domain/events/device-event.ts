import type { Lwm2mEntry } from '@sefleet/lwm2m';

/** What happens to devices. */
export type DeviceEventType =
  | 'bootstrapped'
  | 'registered'
  | 'updated'
  | 'deregistered'
  | 'expired'
  | 'sleeping'
  | 'notification'
  | 'send'
  | 'operationEnded'
  | 'refused';

/** One thing that happened. */
export interface DeviceEvent {
  readonly type: DeviceEventType;
  readonly endpoint: string;
  /** Kind of the device. */
  readonly kind: string;
  readonly atMs: number;
  /** Paths of a notification, blank between them; empty for the other types. */
  readonly path: string;
  readonly entries: readonly Lwm2mEntry[];
  /** Of a queued operation that is over. */
  readonly operation?: { readonly id: string; readonly code: string };
  /** Of something that was refused: what and why, `send.malformed`. */
  readonly reason?: string;
}
