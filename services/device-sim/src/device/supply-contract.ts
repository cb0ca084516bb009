import { isSefleetError } from '@sefleet/errors';
import type { Timer, Timers } from '@sefleet/runtime';
import { aid, type Aid } from '@sefleet/globalplatform';
import { decodeDeviceOrder, type CutOverRecords } from '@sefleet/secure-element';
import { z } from 'zod';
import type { Reading } from './reading-source.ts';

/** What a supply contract asks of its device. */
export interface SupplyContractPorts {
  readonly timers: Timers;
  /** The device's clock, milliseconds since 1970. */
  nowMs(): number;
  /** The reading of the instant that has come. */
  read(instantMs: number): Reading;
  /**
   * Has the card seal the reading of the instant for whoever it concerns, and queues the records.
   *
   * @returns the records, and the applet that has its reading of this moment by them
   */
  take(order: Uint8Array, reading: Reading): TakenRecords;
  /** The card refused the cut-over. */
  refused(cause: unknown): void;
  /** What the contract remembers has changed, and has to be on disk before anybody hears of it. */
  persist(): void;
}

/** What an order left behind at its instant. */
export interface TakenRecords extends Partial<CutOverRecords> {
  readonly application: Aid;
}

const bytes = z.string().transform((text) => Uint8Array.from(Buffer.from(text, 'base64')));
const stateSchema = z.object({
  order: bytes.optional(),
  instantMs: z.number().optional(),
  cutOver: z
    .object({
      takenAtMs: z.number(),
      application: z.string().transform((text) => aid(text)),
      closing: bytes.optional(),
      opening: bytes.optional(),
    })
    .optional(),
});

interface CutOver extends TakenRecords {
  readonly takenAtMs: number;
}

/**
 * A device's part in a change of supplier. At the instant that it was given it takes the cut-over reading by
 * itself, reachable or not, and hands it to its card, which seals it as the last record for the old
 * stakeholder and the first for the new one. When the card refuses, the device goes on for the old one.
 */
export class SupplyContract {
  readonly #ports: SupplyContractPorts;
  #order: Uint8Array | undefined;
  #instantMs: number | undefined;
  #cutOver: CutOver | undefined;
  #timer: Timer | undefined;

  constructor(ports: SupplyContractPorts) {
    this.#ports = ports;
  }

  /** The sealed cut-over reading of the present order, once it has been taken. */
  get cutOver(): Partial<CutOverRecords> | undefined {
    return this.#cutOver;
  }

  /** Notes what the card wants to see at the instant; the switch of another order is over then. */
  prepare(order: Uint8Array): void {
    if (this.#order !== undefined && Buffer.compare(this.#order, order) === 0) return;
    this.#timer?.cancel();
    this.#order = order;
    this.#instantMs = undefined;
    this.#cutOver = undefined;
    this.#ports.persist();
  }

  /** Notes the instant of a switch; a reading that was taken stays taken. False without an order. */
  schedule(instantMs: number): boolean {
    if (this.#order === undefined) return false;
    if (this.#cutOver !== undefined) return true;
    this.#instantMs = instantMs;
    this.#ports.persist();
    this.#arm();
    return true;
  }

  /** Takes the instant back; false when the reading has been taken. */
  withdraw(): boolean {
    if (this.#cutOver !== undefined) return false;
    this.#instantMs = undefined;
    this.#timer?.cancel();
    this.#ports.persist();
    return true;
  }

  /** Takes the cut-over reading if its instant is not later than `byMs`. */
  takeDue(byMs: number): void {
    if (this.#instantMs !== undefined && this.#instantMs <= byMs) this.#take();
  }

  /**
   * The applets by which a reading of this moment is not taken: one whose time has not come or is over, and
   * one that has it already, as the reading of the instant.
   */
  withoutAt(timestampMs: number): ReadonlySet<Aid> {
    const taken = this.#cutOver;
    const asked = this.#order === undefined ? undefined : decodeDeviceOrder(this.#order);
    const without = new Set<Aid>();
    if (taken?.takenAtMs === timestampMs) without.add(taken.application);
    if (asked?.kind === 'begin' && taken === undefined) without.add(asked.application);
    if (asked?.kind === 'end' && taken !== undefined) without.add(asked.application);
    return without;
  }

  /** What it remembers, as JSON; empty when there is nothing. */
  snapshot(): string {
    if (this.#order === undefined) return '';
    const text = (sealed: Uint8Array): string => Buffer.from(sealed).toString('base64');
    const cutOver = this.#cutOver;
    return JSON.stringify({
      order: text(this.#order),
      instantMs: this.#instantMs,
      cutOver: cutOver && {
        takenAtMs: cutOver.takenAtMs,
        application: cutOver.application,
        closing: cutOver.closing && text(cutOver.closing),
        opening: cutOver.opening && text(cutOver.opening),
      },
    });
  }

  /** Goes on from a snapshot. */
  restore(snapshot: string): void {
    const { order, instantMs, cutOver } = stateSchema.parse(JSON.parse(snapshot));
    this.#order = order;
    this.#instantMs = instantMs;
    this.#cutOver = cutOver as CutOver | undefined;
    this.#arm();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #arm(): void {
    this.#timer?.cancel();
    if (this.#instantMs === undefined) return;
    const delayMs = Math.max(0, this.#instantMs - this.#ports.nowMs());
    this.#timer = this.#ports.timers.after(delayMs, () => this.#take());
  }

  #take(): void {
    const [instantMs, order] = [this.#instantMs, this.#order];
    if (instantMs === undefined || order === undefined) return;
    this.#instantMs = undefined;
    const reading = { ...this.#ports.read(instantMs), timestampMs: instantMs };
    try {
      this.#cutOver = { takenAtMs: instantMs, ...this.#ports.take(order, reading) };
    } catch (error) {
      if (!isSefleetError(error)) throw error;
      this.#ports.refused(error);
    }
    this.#ports.persist();
  }
}
