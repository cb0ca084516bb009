import type { FleetStore, OutboxRecord } from '../store/fleet-store.ts';
import type { GroupCommit, JournaledDevice } from '../store/group-commit.ts';

/**
 * Records of one device in memory; what is beyond it waits on disk, so that an outage does not fill the
 * memory.
 */
const WINDOW = 64;

/** The sealed records of one device that have not been acknowledged: on disk all, in memory the oldest. */
export class DeviceOutbox {
  readonly #device: JournaledDevice;
  readonly #store: FleetStore;
  readonly #journal: GroupCommit;
  readonly #durable: () => void;
  #window: OutboxRecord[];
  /** True while there are records on disk behind those of the window. */
  #spilled: boolean;
  /** Position of the newest record that came from the disk. */
  #newest: number;

  /** @param durable called when a record may be sent. */
  constructor(device: JournaledDevice, store: FleetStore, journal: GroupCommit, durable: () => void) {
    this.#device = device;
    this.#store = store;
    this.#journal = journal;
    this.#durable = durable;
    this.#window = [...store.outbox(device.id, WINDOW)];
    this.#spilled = this.#window.length === WINDOW;
    this.#newest = this.#window.at(-1)?.position ?? 0;
  }

  /** Takes a new record; it can be sent once it is on disk and `sealed`, the chip's part, is over. */
  add(record: OutboxRecord, sealed: undefined | Promise<undefined>): void {
    this.#journal.recordSealed(this.#device, record, () => {
      if (sealed === undefined) this.#take(record);
      else void sealed.then(() => this.#take(record));
    });
  }

  /** The oldest records that fit `maxBytes`, one at least, if there is one. */
  oldest(maxRecords: number, maxBytes: number): readonly OutboxRecord[] {
    if (this.#window.length === 0 && this.#spilled) this.#refill();
    let bytes = 0;
    let count = 0;
    for (const { sealed } of this.#window) {
      bytes += sealed.length;
      if (count > 0 && (count >= maxRecords || bytes > maxBytes)) break;
      count++;
    }
    return this.#window.slice(0, count);
  }

  /** Lets go of records that {@link DeviceOutbox.oldest} gave. */
  remove(records: readonly OutboxRecord[]): void {
    const gone = new Set(records.map(({ position }) => position));
    this.#window = this.#window.filter(({ position }) => !gone.has(position));
    for (const position of gone) this.#journal.recordAcknowledged(this.#device, position);
  }

  #take(record: OutboxRecord): void {
    // A refill may have found it on disk already.
    if (record.position > this.#newest) {
      if (this.#spilled || this.#window.length >= WINDOW) this.#spilled = true;
      else this.#window.push(record);
    }
    this.#durable();
  }

  #refill(): void {
    // What was removed from the window has to be gone from the disk before that is read.
    this.#journal.flush();
    this.#window = [...this.#store.outbox(this.#device.id, WINDOW)];
    this.#spilled = this.#window.length === WINDOW;
    this.#newest = this.#window.at(-1)?.position ?? this.#newest;
  }
}
