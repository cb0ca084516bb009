import type { Operation } from './operation.ts';

/** Where a queued operation is. */
export type QueuedOperationState = 'waiting' | 'underWay' | 'answered' | 'failed' | 'expired' | 'cancelled';

/** One operation on one device that need not be there. */
export interface QueuedOperation {
  readonly id: string;
  /** Grows with each operation of a server. */
  readonly sequence: number;
  readonly endpoint: string;
  readonly operation: Operation;
  readonly state: QueuedOperationState;
  /** CoAP code of the device's answer; empty when there was none. */
  readonly code: string;
  readonly senmlJson: string;
  /** Link format of a Discover, path of a new instance. */
  readonly text: string;
  /** Error code when the device gave no answer. */
  readonly error: string;
  readonly attempts: number;
  readonly queuedAtMs: number;
  readonly expiresAtMs: number;
  readonly endedAtMs: number | undefined;
  readonly queuedBy: string;
}

/** What a page of operations is cut from. */
export interface QueuedOperationPage {
  /** The sequence number to go on after. */
  readonly after: number;
  readonly limit: number;
  /** Empty: every device. */
  readonly endpoint: string;
  /** Empty: everybody's. */
  readonly queuedBy: string;
  readonly onlyOpen: boolean;
}

/** An open operation without what it is about: the queue holds every one of them. */
export interface OpenOperation {
  readonly id: string;
  readonly endpoint: string;
  readonly expiresAtMs: number;
  readonly state: 'waiting' | 'underWay';
  /** Characters of the operation as it is kept. */
  readonly size: number;
}

/** Keeps queued operations. */
export interface QueuedOperationStore {
  /** Saves a new one; resolves when it is durable. */
  save(operation: QueuedOperation): Promise<void>;
  /** Saves its state and result; resolves when that is durable. */
  update(operation: QueuedOperation): Promise<void>;
  find(id: string): Promise<QueuedOperation | undefined>;
  page(page: QueuedOperationPage): Promise<readonly QueuedOperation[]>;
  /** All that are not over, in the order of their coming. */
  open(): Promise<readonly OpenOperation[]>;
  /** The highest sequence number so far; 0 when there is none. */
  lastSequence(): Promise<number>;
  /** Forgets the results that ended longest ago, but for `kept`. */
  prune(kept: number): void;
}
