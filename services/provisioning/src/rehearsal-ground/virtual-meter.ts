import type { Aid } from '@sefleet/globalplatform';
import { isSefleetError } from '@sefleet/errors';
import { RecordsClient, type CutOverRecords, type SecureElement } from '@sefleet/secure-element';
import { REGISTER_CAPACITY_WH, type RegisterModel } from './register-model.ts';

/** A cut-over reading that was taken: for which instant, and when by true time. */
export interface TakenReading {
  readonly instant: number;
  readonly takenAt: number;
  readonly registerWh: number;
}

/** The cut-over reading that a meter took. */
interface CutOver {
  readonly instant: number;
  readonly records: CutOverRecords;
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
}

/**
 * A meter: a register, a clock of its own and a card that seals what the register says. At the instant that
 * it was given it takes the cut-over reading by itself, reachable or not, and goes on for the new supplier;
 * when its card refuses, it goes on for the old one.
 */
export class VirtualMeter {
  readonly endpoint: string;
  readonly card: SecureElement;
  readonly records: Uint8Array[] = [];
  readonly #register: RegisterModel;
  readonly #client: RecordsClient;
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
    this.#client = new RecordsClient((apdu) => options.card.transmit(apdu), options.recordsApplet);
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
    };
  }

  /** Goes on from what it remembered and the records that it had sealed by then. */
  restore({ nextAt, instant, order, cutOver, taken }: MeterMemory, records: readonly Uint8Array[]): void {
    this.#nextAt = nextAt;
    this.#instant = instant;
    this.#order = order;
    this.#cutOver = cutOver;
    this.#taken = taken;
    this.records.push(...records);
  }

  /** Lets true time pass until `now`; true when something happened by then. */
  advance(now: number): boolean {
    const [nextAt, instant] = [this.#nextAt, this.#instant];
    const local = now + this.#driftMs;
    for (; this.#nextAt <= local; this.#nextAt += this.#intervalMs) {
      this.#takeCutOverBy(this.#nextAt);
      // The cut-over reading is the reading of an interval that ends at the instant.
      if (this.#cutOver?.instant !== this.#nextAt) this.#measure(this.#nextAt);
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

  get cutOverRecords(): CutOverRecords | undefined {
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
    const values = [[this.#metric, registerWh] as const];
    try {
      const records = this.#client.handOver(this.#order, { timestampMs: instant, values });
      this.records.push(records.closing, records.opening);
      this.#cutOver = { instant, records };
      this.#taken = [...this.#taken, { instant, takenAt: instant - this.#driftMs, registerWh }];
    } catch (error) {
      if (!isSefleetError(error, 'SE_APPLET_REFUSED')) throw error;
    }
  }

  #measure(at: number): void {
    const values = [[this.#metric, this.#registerAt(at)] as const];
    this.records.push(this.#client.seal({ timestampMs: at, values }));
  }

  /** The register at a time of the meter's clock. */
  #registerAt(local: number): number {
    return this.#register.at(local - this.#driftMs);
  }
}
