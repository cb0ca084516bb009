import { z } from 'zod';
import type { Timer, Timers } from '@sefleet/runtime';
import type { Reading } from './reading-source.ts';

/** What a supply contract asks of its device. */
export interface SupplyContractPorts {
  readonly timers: Timers;
  /** The device's clock, milliseconds since 1970. */
  nowMs(): number;
  /** The reading of this moment. */
  read(): Reading;
  /** Seals a reading and queues it for delivery; `closing` is the last one for the present stakeholder. */
  seal(reading: Reading, closing: boolean): Uint8Array;
  /** What the contract remembers has changed, and has to be on disk before anybody hears of it. */
  persist(): void;
}

/** Readings that are kept while the card has no key for them: a day of them, one a minute. */
const MAX_KEPT = 1440;

const readingSchema = z.object({
  timestampMs: z.number(),
  measurements: z.array(z.object({ metric: z.string(), value: z.number(), unit: z.string() })),
});
const record = z.string().transform((text) => Uint8Array.from(Buffer.from(text, 'base64')));
const stateSchema = z.object({
  instantMs: z.number().optional(),
  cutOver: z.object({ reading: readingSchema, closing: record, opening: record.optional() }).optional(),
  kept: z.array(readingSchema),
});

interface CutOver {
  readonly reading: Reading;
  readonly closing: Uint8Array;
  opening: Uint8Array | undefined;
}

/**
 * A device's part in a change of supplier. At the instant that it was given it takes the cut-over reading
 * by itself, reachable or not, and seals it as the last record for the old stakeholder; from then on it
 * keeps its readings until it is told that the card holds the new one's keys.
 */
export class SupplyContract {
  readonly #ports: SupplyContractPorts;
  #instantMs: number | undefined;
  #cutOver: CutOver | undefined;
  #kept: Reading[] = [];
  #timer: Timer | undefined;

  constructor(ports: SupplyContractPorts) {
    this.#ports = ports;
  }

  get closingRecord(): Uint8Array | undefined {
    return this.#cutOver?.closing;
  }

  get openingRecord(): Uint8Array | undefined {
    return this.#cutOver?.opening;
  }

  /** Readings that have been lost because they were kept for too long. */
  dropped = 0;

  /** Notes the instant of a switch; a reading that was taken stays taken. */
  schedule(instantMs: number): void {
    if (this.#cutOver?.reading.timestampMs === instantMs) return;
    this.#instantMs = instantMs;
    if (this.#cutOver?.opening !== undefined) this.#cutOver = undefined;
    this.#ports.persist();
    this.#arm();
  }

  /** Takes the instant back; false when the reading has been taken. */
  withdraw(): boolean {
    if (this.#cutOver !== undefined && this.#cutOver.opening === undefined) return false;
    this.#instantMs = undefined;
    this.#timer?.cancel();
    this.#ports.persist();
    return true;
  }

  /**
   * Goes on under the keys that the card holds now: the opening record first, then what was kept. False
   * when there was no cut-over. Throws what sealing throws; nothing is lost then.
   */
  goOn(): boolean {
    const cutOver = this.#cutOver;
    if (cutOver === undefined) return false;
    if (cutOver.opening === undefined) {
      cutOver.opening = this.#ports.seal(cutOver.reading, false);
      this.#instantMs = undefined;
    }
    for (let next = this.#kept[0]; next !== undefined; next = this.#kept[0]) {
      this.#ports.seal(next, false);
      this.#kept.shift();
    }
    this.#ports.persist();
    return true;
  }

  /** Takes the cut-over reading if its instant has come. */
  takeDue(): void {
    if (this.#instantMs !== undefined && this.#instantMs <= this.#ports.nowMs()) this.#take();
  }

  /** True when the cut-over reading is the one of this moment. */
  isTakenAt(timestampMs: number): boolean {
    return this.#cutOver?.reading.timestampMs === timestampMs;
  }

  /** True when the reading is kept here, because there is no key for it yet. */
  keep(reading: Reading): boolean {
    if (this.#cutOver === undefined || this.#cutOver.opening !== undefined) return false;
    if (this.#kept.length >= MAX_KEPT) {
      this.#kept.shift();
      this.dropped++;
    }
    this.#kept.push(reading);
    return true;
  }

  /** What it remembers, as JSON; empty when there is nothing. */
  snapshot(): string {
    if (this.#instantMs === undefined && this.#cutOver === undefined) return '';
    const text = (sealed: Uint8Array): string => Buffer.from(sealed).toString('base64');
    const cutOver = this.#cutOver;
    return JSON.stringify({
      instantMs: this.#instantMs,
      kept: this.#kept,
      cutOver: cutOver && {
        reading: cutOver.reading,
        closing: text(cutOver.closing),
        opening: cutOver.opening && text(cutOver.opening),
      },
    });
  }

  /** Goes on from a snapshot. */
  restore(snapshot: string): void {
    const { instantMs, cutOver, kept } = stateSchema.parse(JSON.parse(snapshot));
    this.#instantMs = instantMs;
    this.#kept = kept;
    this.#cutOver = cutOver && { ...cutOver, opening: cutOver.opening };
    this.#arm();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #arm(): void {
    this.#timer?.cancel();
    if (this.#instantMs === undefined || this.#cutOver !== undefined) return;
    const delayMs = Math.max(0, this.#instantMs - this.#ports.nowMs());
    this.#timer = this.#ports.timers.after(delayMs, () => this.#take());
  }

  #take(): void {
    if (this.#instantMs === undefined || this.#cutOver !== undefined) return;
    const reading = { ...this.#ports.read(), timestampMs: this.#instantMs };
    this.#cutOver = { reading, closing: this.#ports.seal(reading, true), opening: undefined };
    this.#ports.persist();
  }
}
