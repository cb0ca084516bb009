import type { Timer, Timers } from '@sefleet/runtime';
import type { DeviceState, FleetStore, OutboxRecord } from './fleet-store.ts';

/** A device as the journal sees it. */
export interface JournaledDevice {
  readonly id: number;
  /** The present state; asked for once a commit, however often the device changed. */
  state(): DeviceState;
}

/** What the journal has done so far. */
export interface JournalCounters {
  readonly commits: number;
  readonly recordsCommitted: number;
  readonly longestCommitMs: number;
}

/**
 * One transaction for all devices, {@link GroupCommit.windowMs} after the first change. What waits for a
 * change to be durable is told when it is: a record is sent only then, so that a number which left the
 * process is never given out again by a card that was restored from disk.
 */
export class GroupCommit {
  readonly windowMs: number;
  readonly #store: FleetStore;
  readonly #timers: Timers;
  readonly #nowMs: () => number;
  #timer: Timer | undefined;
  #soon: Promise<void> | undefined;
  #dirty = new Set<JournaledDevice>();
  #added: { readonly id: number; readonly record: OutboxRecord }[] = [];
  #acknowledged: { readonly id: number; readonly position: number }[] = [];
  #waiting: (() => void)[] = [];
  #counters = { commits: 0, recordsCommitted: 0, longestCommitMs: 0 };

  constructor(
    store: FleetStore,
    options: { readonly timers: Timers; readonly nowMs: () => number; readonly windowMs: number },
  ) {
    this.#store = store;
    this.#timers = options.timers;
    this.#nowMs = options.nowMs;
    this.windowMs = options.windowMs;
  }

  get counters(): JournalCounters {
    return this.#counters;
  }

  /** A new record; the device's state goes with it. */
  recordSealed(device: JournaledDevice, record: OutboxRecord, durable: () => void): void {
    this.#added.push({ id: device.id, record });
    this.#waiting.push(durable);
    this.deviceChanged(device);
  }

  /** The record is where it belongs and need not be kept. */
  recordAcknowledged(device: JournaledDevice, position: number): void {
    this.#acknowledged.push({ id: device.id, position });
    this.deviceChanged(device);
  }

  deviceChanged(device: JournaledDevice): void {
    this.#dirty.add(device);
    this.#timer ??= this.#timers.after(this.windowMs, () => this.flush());
  }

  /**
   * Commits at the end of this turn of the event loop what has changed by then: an answer of a card to its
   * owner waits for it, and answers of many cards in one turn share a transaction.
   *
   * @throws SefleetError `SIM_STORE_FAILED`; nothing has left the process then that is not on disk
   */
  soon(): Promise<void> {
    this.#soon ??= new Promise((resolve, reject) => {
      setImmediate(() => {
        this.#soon = undefined;
        try {
          this.flush();
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
    return this.#soon;
  }

  /**
   * Commits now what has changed so far, for whoever cannot wait.
   *
   * @throws SefleetError `SIM_STORE_FAILED`; nothing has left the process then that is not on disk
   */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#dirty.size === 0) return;
    const startedMs = this.#nowMs();
    const states = [...this.#dirty].map((device) => ({ id: device.id, state: device.state() }));
    const changes = { states, added: this.#added, acknowledged: this.#acknowledged };
    // What the store did not take is still there for the next commit.
    this.#store.apply(changes);
    const waiting = this.#waiting;
    this.#dirty = new Set();
    this.#added = [];
    this.#acknowledged = [];
    this.#waiting = [];
    this.#counters = {
      commits: this.#counters.commits + 1,
      recordsCommitted: this.#counters.recordsCommitted + changes.added.length,
      longestCommitMs: Math.max(this.#counters.longestCommitMs, this.#nowMs() - startedMs),
    };
    for (const durable of waiting) durable();
  }
}
