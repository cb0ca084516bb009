import type { Aid } from '@sefleet/globalplatform';
import { RecordsClient, type SecureElement } from '@sefleet/secure-element';
import type { RegisterModel } from './register-model.ts';

const ACTIVE_ENERGY_WH = 1;

interface Reading {
  readonly at: number;
  readonly wh: number;
}

/** A cut-over reading that was taken: for which instant, and when by true time. */
interface TakenReading {
  readonly instant: number;
  readonly takenAt: number;
  readonly registerWh: number;
}

/** What a meter knows of a switch. */
interface CutOver {
  readonly reading: Reading;
  /** By true time. */
  readonly takenAt: number;
  readonly closingRecord: Uint8Array;
  openingRecord: Uint8Array | undefined;
}

/**
 * A meter: a register, a clock of its own and a card that seals what the register says. At the instant that
 * it was given it takes the cut-over reading by itself, reachable or not; from then on it keeps its readings
 * until its card holds the new supplier's keys.
 */
export class VirtualMeter {
  readonly endpoint: string;
  readonly card: SecureElement;
  readonly records: Uint8Array[] = [];
  readonly #register: RegisterModel;
  readonly #client: RecordsClient;
  readonly #intervalMs: number;
  readonly #driftMs: number;
  readonly #firstAt: number;
  #nextAt: number;
  #instant: number | undefined;
  #cutOver: CutOver | undefined;
  /** Every cut-over reading that was taken. */
  readonly #taken: TakenReading[] = [];
  /** Readings for which there is no key yet. */
  #kept: Reading[] = [];
  account = '';

  constructor(options: {
    readonly endpoint: string;
    readonly card: SecureElement;
    readonly recordsApplet: Aid;
    readonly register: RegisterModel;
    readonly startAt: number;
    readonly intervalMs: number;
    readonly driftMs: number;
  }) {
    this.endpoint = options.endpoint;
    this.card = options.card;
    this.#client = new RecordsClient((apdu) => options.card.transmit(apdu), options.recordsApplet);
    this.#register = options.register;
    this.#intervalMs = options.intervalMs;
    this.#driftMs = options.driftMs;
    this.#firstAt = options.startAt;
    this.#nextAt = options.startAt;
  }

  /** Lets true time pass until `now`. */
  advance(now: number): void {
    const local = now + this.#driftMs;
    for (; this.#nextAt <= local; this.#nextAt += this.#intervalMs) {
      this.#takeCutOverBy(this.#nextAt);
      // The cut-over reading is the reading of an interval that ends at the instant.
      if (this.#cutOver?.reading.at !== this.#nextAt) this.#measure(this.#nextAt);
    }
    this.#takeCutOverBy(local);
  }

  /** Notes the instant of a switch; a reading that was taken stays taken. */
  schedule(instant: number): void {
    if (this.#cutOver?.reading.at === instant) return;
    this.#instant = instant;
    if (this.#cutOver?.openingRecord !== undefined) this.#cutOver = undefined;
  }

  /** False when the reading has been taken. */
  withdraw(): boolean {
    if (this.#cutOver !== undefined && this.#cutOver.openingRecord === undefined) return false;
    this.#instant = undefined;
    return true;
  }

  get closingRecord(): Uint8Array | undefined {
    return this.#cutOver?.closingRecord;
  }

  get openingRecord(): Uint8Array | undefined {
    return this.#cutOver?.openingRecord;
  }

  /** Goes on under the keys that the card holds now: the opening record first, then what was kept. */
  goOn(): boolean {
    const cutOver = this.#cutOver;
    if (cutOver === undefined) return false;
    if (cutOver.openingRecord !== undefined) return true;
    cutOver.openingRecord = this.#seal(cutOver.reading);
    this.#instant = undefined;
    for (const reading of this.#kept) this.#seal(reading);
    this.#kept = [];
    return true;
  }

  /** What the register said at the first and the last reading, and at the cut-over. */
  truth() {
    const lastAt = this.#nextAt - this.#intervalMs;
    return {
      firstAt: this.#firstAt,
      lastAt,
      firstRegisterWh: this.#registerAt(this.#firstAt),
      lastRegisterWh: this.#registerAt(lastAt),
      cutOvers: this.#taken,
    };
  }

  #measure(at: number): void {
    const reading = { at, wh: this.#registerAt(at) };
    if (this.#cutOver !== undefined && this.#cutOver.openingRecord === undefined) this.#kept.push(reading);
    else this.#seal(reading);
  }

  /** Takes the cut-over reading when its instant is not later than `local`. */
  #takeCutOverBy(local: number): void {
    const instant = this.#instant;
    if (instant === undefined || this.#cutOver !== undefined || instant > local) return;
    const reading = { at: instant, wh: this.#registerAt(instant) };
    const closingRecord = this.#client.sealClosing({
      timestampMs: instant,
      values: [[ACTIVE_ENERGY_WH, reading.wh]],
    });
    this.records.push(closingRecord);
    this.#taken.push({ instant, takenAt: instant - this.#driftMs, registerWh: reading.wh });
    this.#cutOver = { reading, takenAt: instant - this.#driftMs, closingRecord, openingRecord: undefined };
  }

  #seal({ at, wh }: Reading): Uint8Array {
    const record = this.#client.seal({ timestampMs: at, values: [[ACTIVE_ENERGY_WH, wh]] });
    this.records.push(record);
    return record;
  }

  /** The register at a time of the meter's clock. */
  #registerAt(local: number): number {
    return this.#register.at(local - this.#driftMs);
  }
}
