import type { Aid } from '@sefleet/globalplatform';
import { isSefleetError } from '@sefleet/errors';
import {
  decodeDeviceOrder,
  RecordsClient,
  type CutOverRecords,
  type SecureElement,
} from '@sefleet/secure-element';
import { REGISTER_CAPACITY_WH, type RegisterModel } from './register-model.ts';

/** A cut-over reading that was taken: for which instant, and when by true time. */
export interface TakenReading {
  readonly instant: number;
  readonly takenAt: number;
  readonly registerWh: number;
}

/** The reading of an instant that a meter took: for two, for who comes, or for who goes. */
interface CutOver {
  readonly instant: number;
  readonly records: Partial<CutOverRecords>;
}

/** An applet that the meter reads by. */
interface Reader {
  readonly client: RecordsClient;
  /** Of its last reading, by the meter's clock. */
  lastAt: number | undefined;
}

/** What a meter remembers, beside what its card does; all of it may change. */
export interface MeterMemory {
  /** When the next reading is due, by the meter's clock. */
  readonly nextAt: number;
  /** The instant that it was given; undefined when it has none, or none any more. */
  readonly instant: number | undefined;
  readonly order: Uint8Array | undefined;
  readonly cutOver: CutOver | undefined;
  /** Every cut-over reading that was taken. */
  readonly taken: readonly TakenReading[];
  /** The applets that it reads by, and when it did last. */
  readonly readers: readonly { readonly application: Aid; readonly lastAt: number | undefined }[];
}

/**
 * A meter: a register, a clock of its own and a card that seals what the register says. At the instant that
 * it was given it takes the cut-over reading by itself, reachable or not, and goes on for the new supplier;
 * when its card refuses, it goes on for the old one. Where several read it, each by an applet of its own, an
 * instant concerns one of them, and the others notice nothing.
 */
export class VirtualMeter {
  readonly endpoint: string;
  readonly card: SecureElement;
  readonly records: Uint8Array[] = [];
  readonly #register: RegisterModel;
  readonly #readers = new Map<Aid, Reader>();
  readonly #intervalMs: number;
  readonly #driftMs: number;
  readonly #metric: number;
  readonly #firstAt: number;
  #nextAt: number;
  #instant: number | undefined;
  #order: Uint8Array | undefined;
  #cutOver: CutOver | undefined;
  #taken: readonly TakenReading[] = [];

  constructor(options: {
    readonly endpoint: string;
    readonly card: SecureElement;
    readonly recordsApplet: Aid;
    readonly register: RegisterModel;
    readonly startAt: number;
    readonly intervalMs: number;
    readonly driftMs: number;
    /** What the register counts, as records name it. */
    readonly metric: number;
  }) {
    this.endpoint = options.endpoint;
    this.card = options.card;
    this.#readBy(options.recordsApplet);
    this.#register = options.register;
    this.#intervalMs = options.intervalMs;
    this.#driftMs = options.driftMs;
    this.#metric = options.metric;
    this.#firstAt = options.startAt;
    this.#nextAt = options.startAt;
  }

  get memory(): MeterMemory {
    return {
      nextAt: this.#nextAt,
      instant: this.#instant,
      order: this.#order,
      cutOver: this.#cutOver,
      taken: this.#taken,
      readers: [...this.#readers].map(([application, { lastAt }]) => ({ application, lastAt })),
    };
  }

  /** Goes on from what it remembered and the records that it had sealed by then. */
  restore(memory: MeterMemory, records: readonly Uint8Array[]): void {
    const { nextAt, instant, order, cutOver, taken, readers } = memory;
    this.#nextAt = nextAt;
    this.#instant = instant;
    this.#order = order;
    this.#cutOver = cutOver;
    this.#taken = taken;
    this.#readers.clear();
    for (const { application, lastAt } of readers) this.#readBy(application).lastAt = lastAt;
    this.records.push(...records);
  }

  /** Lets true time pass until `now`; true when something happened by then. */
  advance(now: number): boolean {
    const [nextAt, instant] = [this.#nextAt, this.#instant];
    const local = now + this.#driftMs;
    for (; this.#nextAt <= local; this.#nextAt += this.#intervalMs) {
      this.#takeCutOverBy(this.#nextAt);
      this.#measure(this.#nextAt);
    }
    this.#takeCutOverBy(local);
    return nextAt !== this.#nextAt || instant !== this.#instant;
  }

  /** Notes what to hand to the card at the instant; that of another switch is over then. */
  prepare(order: Uint8Array): void {
    if (this.#order !== undefined && Buffer.compare(this.#order, order) === 0) return;
    this.#order = order;
    this.#instant = undefined;
    this.#cutOver = undefined;
  }

  /** Notes the instant of a switch; a reading that was taken stays taken. */
  schedule(instant: number): void {
    if (this.#cutOver === undefined) this.#instant = instant;
  }

  /** False when the reading has been taken. */
  withdraw(): boolean {
    if (this.#cutOver !== undefined) return false;
    this.#instant = undefined;
    return true;
  }

  get instantRecords(): Partial<CutOverRecords> | undefined {
    return this.#cutOver?.records;
  }

  /** What was counted at the first and the last reading, and what the register said at the cut-over. */
  truth() {
    const lastAt = this.#nextAt - this.#intervalMs;
    return {
      firstAt: this.#firstAt,
      lastAt,
      firstRegisterWh: this.#register.countedAt(this.#firstAt - this.#driftMs),
      lastRegisterWh: this.#register.countedAt(lastAt - this.#driftMs),
      capacityWh: REGISTER_CAPACITY_WH,
      cutOvers: this.#taken,
    };
  }

  /** Takes the cut-over reading when its instant is not later than `local`. */
  #takeCutOverBy(local: number): void {
    const instant = this.#instant;
    if (instant === undefined || this.#order === undefined || instant > local) return;
    this.#instant = undefined;
    const registerWh = this.#registerAt(instant);
    try {
      const records = this.#change(this.#order, instant);
      for (const record of [records.closing, records.opening])
        if (record !== undefined) this.records.push(record);
      this.#cutOver = { instant, records };
      this.#taken = [...this.#taken, { instant, takenAt: instant - this.#driftMs, registerWh }];
    } catch (error) {
      const isRefused =
        isSefleetError(error, 'SE_APPLET_REFUSED') || isSefleetError(error, 'SE_APPLET_UNAVAILABLE');
      if (!isRefused) throw error;
    }
  }

  /** Does what an order asks at its instant. */
  #change(order: Uint8Array, instant: number): Partial<CutOverRecords> {
    const asked = decodeDeviceOrder(order);
    switch (asked.kind) {
      case 'begin': {
        const reader = this.#readBy(asked.application);
        try {
          return { opening: this.#seal(reader, instant) };
        } catch (error) {
          this.#release(asked.application);
          throw error;
        }
      }
      case 'end': {
        const reader = this.#readers.get(asked.application) ?? this.#readBy(asked.application);
        const closing = this.#seal(reader, instant);
        this.#release(asked.application);
        return { closing };
      }
      case 'hand-over':
        return this.#handOver(order, instant);
      default:
        return asked satisfies never;
    }
  }

  /** The card knows which of the applets is meant; the others refuse, and nothing has changed then. */
  #handOver(order: Uint8Array, instant: number): CutOverRecords {
    let refusal: unknown;
    for (const reader of this.#readers.values()) {
      try {
        const records = reader.client.handOver(order, this.#readingAt(instant));
        reader.lastAt = instant;
        return records;
      } catch (error) {
        if (!isSefleetError(error, 'SE_APPLET_REFUSED')) throw error;
        refusal = error;
      }
    }
    throw refusal;
  }

  /** One reading an interval for everybody: that of an instant is the one of the interval that ends then. */
  #measure(at: number): void {
    for (const reader of this.#readers.values())
      if (reader.lastAt !== at) this.records.push(this.#seal(reader, at));
  }

  #seal(reader: Reader, at: number): Uint8Array {
    const sealed = reader.client.seal(this.#readingAt(at));
    reader.lastAt = at;
    return sealed;
  }

  #readingAt(timestampMs: number) {
    return { timestampMs, values: [[this.#metric, this.#registerAt(timestampMs)] as const] };
  }

  #readBy(application: Aid): Reader {
    const client = new RecordsClient((apdu) => this.card.transmit(apdu), application);
    const reader: Reader = { client, lastAt: undefined };
    this.#readers.set(application, reader);
    return reader;
  }

  /** An applet that is selected cannot be deleted: its channel is given back. */
  #release(application: Aid): void {
    this.#readers.get(application)?.client.close();
    this.#readers.delete(application);
  }

  /** The register at a time of the meter's clock. */
  #registerAt(local: number): number {
    return this.#register.at(local - this.#driftMs);
  }
}
