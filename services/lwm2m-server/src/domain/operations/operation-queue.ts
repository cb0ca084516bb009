import { isDeepStrictEqual } from 'node:util';
import { isSefleetError } from '@sefleet/errors';
import type { RegisteredDevice } from '@sefleet/lwm2m-coap';
import type { Runtime, Timer } from '@sefleet/runtime';
import { serviceError } from '../../errors.ts';
import type { FleetDirectory } from '../fleet-directory.ts';
import { isRepeatable } from './operation.ts';
import type { Operation } from './operation.ts';
import type { OperationRunner } from './operation-runner.ts';
import type { OpenOperation, QueuedOperation, QueuedOperationStore } from './queued-operation.ts';

/** What {@link OperationQueue} works with. */
export interface OperationQueueParts {
  readonly fleet: Pick<FleetDirectory, 'find'>;
  readonly runner: Pick<OperationRunner, 'run'>;
  readonly store: QueuedOperationStore;
  readonly runtime: Runtime;
  /** Told when an operation is over; its result is durable. */
  readonly ended: (operation: QueuedOperation) => void;
}

/** What a caller asks for. */
export interface OperationOrder {
  readonly id: string;
  readonly endpoint: string;
  readonly operation: Operation;
  readonly expireSeconds: number;
  readonly queuedBy: string;
}

/** How much may wait. */
export interface OperationQueueLimits {
  readonly perDevice: number;
  readonly total: number;
  /** Characters of all operations that wait: firmware images are among them. */
  readonly totalSize: number;
  /** Results that are kept. */
  readonly results: number;
}

const LIMITS: OperationQueueLimits = {
  perDevice: 64,
  total: 100_000,
  totalSize: 268_435_456,
  results: 10_000,
};
/** A device that takes it so often without an answer will not give one. */
const ATTEMPTS_MAX = 8;
/** A store that cannot be read is asked again after this. */
const STORE_RETRY_MS = 1000;
/** Forgetting results costs a look at all of them. */
const PRUNE_EVERY = 100;

/** One device's operations, the first one next. */
interface Line {
  readonly waiting: OpenOperation[];
  busy: boolean;
  /** The device was heard of while its line was busy. */
  heard: boolean;
}

/**
 * Operations that wait for their device, across restarts: each device gets its own one at a time, in the
 * order of their coming. That one is under way is durable before it is sent, so that what a crash cut off
 * is known afterwards: what may be made twice is made again, the rest ends with `LWM2M_OUTCOME_UNKNOWN`.
 */
export class OperationQueue {
  readonly #parts: OperationQueueParts;
  readonly #limits: OperationQueueLimits;
  readonly #lines = new Map<string, Line>();
  readonly #entering = new Map<string, Promise<QueuedOperation>>();
  readonly #abort = new AbortController();
  #sequence = 0;
  #count = 0;
  #size = 0;
  #ended = 0;
  #expiry: Timer | undefined;
  #expiryAtMs = Infinity;

  constructor(parts: OperationQueueParts, limits: Partial<OperationQueueLimits> = {}) {
    this.#parts = parts;
    this.#limits = { ...LIMITS, ...limits };
  }

  /** Goes on with what the last run of the process left. */
  async resume(): Promise<void> {
    const { store } = this.#parts;
    this.#sequence = await store.lastSequence();
    for (const open of await store.open()) {
      if (open.state === 'underWay' && !(await this.#mayRepeat(open))) continue;
      this.#add(open);
    }
    for (const endpoint of this.#lines.keys()) this.#deliver(endpoint);
  }

  /**
   * Takes an operation; resolves when it is durable. One that the same caller queued under the same id is
   * given back as it is, if it is the same operation.
   *
   * @throws SefleetError `LWM2M_QUEUED_OPERATION_EXISTS`, `LWM2M_QUEUE_FULL`
   */
  async enqueue(order: OperationOrder): Promise<QueuedOperation> {
    // Two calls with one id at once: the second finds what the first has made.
    await this.#entering.get(order.id)?.catch(() => {});
    const known = await this.#parts.store.find(order.id);
    const existing = known ?? this.#entering.get(order.id);
    if (existing !== undefined) return sameAs(order, await existing);
    const made = this.#enter(order);
    this.#entering.set(order.id, made);
    return made.finally(() => this.#entering.delete(order.id));
  }

  /** @throws SefleetError `LWM2M_QUEUED_OPERATION_NOT_FOUND` */
  async find(id: string): Promise<QueuedOperation> {
    const found = await this.#parts.store.find(id);
    if (found === undefined) throw operationNotFound(id);
    return found;
  }

  /**
   * Withdraws an operation that waits; another one is given back as it is.
   *
   * @throws SefleetError `LWM2M_QUEUED_OPERATION_NOT_FOUND`
   */
  async cancel(id: string): Promise<QueuedOperation> {
    const { endpoint } = await this.find(id);
    const line = this.#lines.get(endpoint);
    const index = line?.waiting.findIndex((open) => open.id === id) ?? -1;
    // The first one of a busy line is with the device.
    if (line !== undefined && index >= 0 && !(line.busy && index === 0)) {
      const open = line.waiting[index];
      if (open !== undefined) this.#remove(endpoint, line, open);
      await this.#end(await this.find(id), { state: 'cancelled' });
    }
    return this.find(id);
  }

  /** True while something waits. */
  get active(): boolean {
    return this.#count > 0;
  }

  /** A device was heard of. */
  deviceHeard(endpoint: string): void {
    const line = this.#lines.get(endpoint);
    if (line === undefined) return;
    if (line.busy) line.heard = true;
    else this.#deliver(endpoint);
  }

  /** The process stops: nothing is started any more, nothing more is saved. */
  stop(): void {
    this.#expiry?.cancel();
    this.#abort.abort();
  }

  async #enter({
    id,
    endpoint,
    operation,
    expireSeconds,
    queuedBy,
  }: OperationOrder): Promise<QueuedOperation> {
    const size = JSON.stringify(operation).length;
    this.#checkRoom(endpoint, size);
    const nowMs = Math.round(this.#parts.runtime.clock.wallMs());
    const expiresAtMs = nowMs + expireSeconds * 1000;
    const queued: QueuedOperation = {
      id,
      endpoint,
      operation,
      queuedBy,
      expiresAtMs,
      sequence: ++this.#sequence,
      state: 'waiting',
      code: '',
      senmlJson: '',
      text: '',
      error: '',
      attempts: 0,
      queuedAtMs: nowMs,
      endedAtMs: undefined,
    };
    const open = { id, endpoint, expiresAtMs, size, state: 'waiting' } as const;
    // Before it is durable, so that the order is that of the calls; a busy line sends nothing.
    const line = this.#add(open);
    const wasBusy = line.busy;
    line.busy = true;
    try {
      await this.#parts.store.save(queued);
    } catch (error) {
      this.#remove(endpoint, line, open);
      throw error;
    } finally {
      if (!wasBusy) {
        line.busy = false;
        this.#deliver(endpoint);
      }
    }
    return queued;
  }

  #checkRoom(endpoint: string, size: number): void {
    const { perDevice, total, totalSize } = this.#limits;
    const own = this.#lines.get(endpoint)?.waiting.length ?? 0;
    if (own < perDevice && this.#count < total && this.#size + size <= totalSize) return;
    const whose = own < perDevice ? 'all devices' : endpoint;
    throw serviceError('LWM2M_QUEUE_FULL', `too many operations wait for ${whose}`, {
      context: { endpoint },
      hint: 'Wait until some are over, or cancel some.',
    });
  }

  #add(open: OpenOperation): Line {
    const line = this.#lines.get(open.endpoint) ?? { waiting: [], busy: false, heard: false };
    this.#lines.set(open.endpoint, line);
    line.waiting.push(open);
    this.#count++;
    this.#size += open.size;
    this.#armExpiry(open.expiresAtMs);
    return line;
  }

  #remove(endpoint: string, line: Line, open: OpenOperation): void {
    const index = line.waiting.indexOf(open);
    if (index < 0) return;
    line.waiting.splice(index, 1);
    this.#count--;
    this.#size -= open.size;
    if (line.waiting.length === 0 && !line.busy) this.#lines.delete(endpoint);
  }

  #deliver(endpoint: string): void {
    const line = this.#lines.get(endpoint);
    if (line === undefined || line.busy || this.#abort.signal.aborted) return;
    line.busy = true;
    const delivered = this.#deliverLine(endpoint, line).catch(() => {
      // The store cannot be read: the operations stay where they are.
      this.#parts.runtime.timers.after(STORE_RETRY_MS, () => this.#deliver(endpoint));
    });
    void delivered.then(() => {
      line.busy = false;
      if (line.waiting.length === 0) this.#lines.delete(endpoint);
      else if (line.heard) {
        line.heard = false;
        this.#deliver(endpoint);
      }
    });
  }

  /** Makes a device's operations until one has to wait for it. */
  async #deliverLine(endpoint: string, line: Line): Promise<void> {
    for (;;) {
      const [next] = line.waiting;
      const device = this.#parts.fleet.find(endpoint);
      if (next === undefined || device?.reachable !== true || this.#abort.signal.aborted) return;
      line.heard = false;
      const queued = await this.#parts.store.find(next.id);
      const isOver = queued === undefined || (await this.#attempt(device, queued));
      if (!isOver) return;
      this.#remove(endpoint, line, next);
    }
  }

  /** One attempt. @returns true when the operation is over */
  async #attempt(device: RegisteredDevice, waiting: QueuedOperation): Promise<boolean> {
    const { store, runner } = this.#parts;
    const queued = { ...waiting, state: 'underWay', attempts: waiting.attempts + 1 } as const;
    if (queued.expiresAtMs <= this.#parts.runtime.clock.wallMs()) {
      return this.#end(waiting, { state: 'expired', error: 'LWM2M_OPERATION_TIMEOUT' });
    }
    try {
      await store.update(queued);
    } catch {
      // The store cannot write: nothing is sent that a crash could make twice.
      return false;
    }
    try {
      const options = { whenAway: 'fail', signal: this.#abort.signal } as const;
      const { code, senmlJson, text } = await runner.run(device, queued.operation, options);
      return await this.#end(queued, { state: 'answered', code, senmlJson, text });
    } catch (error) {
      if (this.#abort.signal.aborted) return false;
      return this.#onFailure(queued, error);
    }
  }

  async #onFailure(queued: QueuedOperation, error: unknown): Promise<boolean> {
    const code = isSefleetError(error) ? error.code : 'INTERNAL';
    const isAway = isSefleetError(error) && error.fault === 'environment';
    const isUnsent = isSefleetError(error, 'LWM2M_DEVICE_UNAVAILABLE') && error.cause === undefined;
    if (isAway && !isUnsent && !isRepeatable(queued.operation)) {
      return this.#end(queued, { state: 'failed', error: 'LWM2M_OUTCOME_UNKNOWN' });
    }
    if (!isAway || queued.attempts >= ATTEMPTS_MAX) {
      return this.#end(queued, { state: 'failed', error: code });
    }
    await this.#parts.store.update({ ...queued, state: 'waiting' }).catch(() => {});
    return false;
  }

  async #end(
    queued: QueuedOperation,
    result: Pick<QueuedOperation, 'state'> & Partial<QueuedOperation>,
  ): Promise<true> {
    const { store, runtime, ended } = this.#parts;
    const over = { ...queued, ...result, endedAtMs: Math.round(runtime.clock.wallMs()) };
    // A store that cannot write has told so; the next run finds the operation as it was.
    await store.update(over).catch(() => {});
    if (++this.#ended % PRUNE_EVERY === 0) store.prune(this.#limits.results);
    ended(over);
    return true;
  }

  /** What was under way when the last run ended. @returns false when it may not be made again, and is over */
  async #mayRepeat({ id }: OpenOperation): Promise<boolean> {
    const queued = await this.#parts.store.find(id);
    if (queued === undefined) return false;
    if (isRepeatable(queued.operation)) return true;
    await this.#end(queued, { state: 'failed', error: 'LWM2M_OUTCOME_UNKNOWN' });
    return false;
  }

  /** One timer for all: it is set for the first that expires. */
  #armExpiry(atMs: number): void {
    if (atMs >= this.#expiryAtMs) return;
    this.#expiry?.cancel();
    this.#expiryAtMs = atMs;
    const leftMs = Math.max(0, atMs - this.#parts.runtime.clock.wallMs());
    this.#expiry = this.#parts.runtime.timers.after(Math.min(leftMs, TIMER_MAX_MS), () => this.#expire());
  }

  #expire(): void {
    this.#expiryAtMs = Infinity;
    const nowMs = this.#parts.runtime.clock.wallMs();
    let next = Infinity;
    for (const [endpoint, line] of this.#lines) {
      const over = line.waiting.filter(
        ({ expiresAtMs }, index) => expiresAtMs <= nowMs && !(line.busy && index === 0),
      );
      for (const open of over) {
        this.#remove(endpoint, line, open);
        void this.#expireOne(open);
      }
      for (const { expiresAtMs } of line.waiting) if (expiresAtMs > nowMs) next = Math.min(next, expiresAtMs);
    }
    if (next !== Infinity) this.#armExpiry(next);
  }

  async #expireOne(open: OpenOperation): Promise<void> {
    const { store, runtime } = this.#parts;
    try {
      const queued = await store.find(open.id);
      if (queued === undefined) return;
      await this.#end(queued, { state: 'expired', error: 'LWM2M_OPERATION_TIMEOUT' });
    } catch {
      // The store cannot be read: it expires a little later. Whoever makes it before sees that it is late.
      if (!this.#abort.signal.aborted) {
        this.#add({ ...open, expiresAtMs: runtime.clock.wallMs() + STORE_RETRY_MS });
      }
    }
  }
}

/** Timers count in milliseconds of 31 bits; a day is soon enough to look again. */
const TIMER_MAX_MS = 86_400_000;

/** To others than its caller an operation does not exist either. */
export function operationNotFound(id: string): Error {
  return serviceError('LWM2M_QUEUED_OPERATION_NOT_FOUND', `there is no queued operation ${id}`);
}

/** An operation that has the order's id, when it is the one that the order asks for. */
function sameAs(
  { id, endpoint, operation, queuedBy }: OperationOrder,
  known: QueuedOperation,
): QueuedOperation {
  if (known.queuedBy !== queuedBy) {
    throw serviceError('LWM2M_QUEUED_OPERATION_EXISTS', `operation ${id} exists`);
  }
  if (known.endpoint !== endpoint || !isDeepStrictEqual(known.operation, operation)) {
    const text = `operation ${id} exists and is another one (${known.operation.kind} on ${known.endpoint})`;
    throw serviceError('LWM2M_QUEUED_OPERATION_EXISTS', text, { hint: 'Take a new operation_id.' });
  }
  return known;
}
