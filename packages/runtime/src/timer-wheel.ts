import type { Timer } from './clock.ts';

interface Slot extends Timer {
  deadline: number;
  run: (() => void) | undefined;
  next: Slot | undefined;
  previous: Slot | undefined;
}

/**
 * A hashed timer wheel: starting and cancelling cost the same whether ten timers run or a million, which one
 * timer of the host per device would not (Varghese and Lauck, 1987). Pure: whoever owns it calls {@link
 * advance}.
 *
 * A timer fires in the first tick at or after its deadline, never before; with `tickMs` 5 it is at most 5 ms
 * late.
 */
export class TimerWheel {
  readonly #tickMs: number;
  readonly #slots: Slot[];
  #tick: number;
  #active = 0;

  constructor(nowMs: number, tickMs = 5, slotCount = 8192) {
    this.#tickMs = tickMs;
    this.#tick = Math.floor(nowMs / tickMs);
    this.#slots = Array.from({ length: slotCount }, () => ring());
  }

  /** Timers that have neither run nor been cancelled. */
  get active(): number {
    return this.#active;
  }

  /** Starts a timer for the absolute time `deadlineMs`. */
  at(deadlineMs: number, run: () => void): Timer {
    const deadline = Math.max(Math.ceil(deadlineMs / this.#tickMs), this.#tick + 1);
    const head = this.#head(deadline);
    const slot: Slot = {
      deadline,
      run,
      next: head,
      previous: head.previous,
      cancel: () => this.#cancel(slot),
    };
    if (head.previous !== undefined) head.previous.next = slot;
    head.previous = slot;
    this.#active++;
    return slot;
  }

  /** Runs everything that is due at `nowMs`. What a callback starts runs in a later call at the earliest. */
  advance(nowMs: number): void {
    const target = Math.floor(nowMs / this.#tickMs);
    const due: Slot[] = [];
    const last = Math.min(target, this.#tick + this.#slots.length);
    for (let tick = this.#tick + 1; tick <= last; tick++) {
      const head = this.#head(tick);
      for (let slot = head.next; slot !== undefined && slot !== head; slot = slot.next) {
        if (slot.deadline <= target) due.push(slot);
      }
    }
    if (target > this.#tick) this.#tick = target;
    due.sort((a, b) => a.deadline - b.deadline);
    for (const slot of due) {
      const run = slot.run;
      this.#cancel(slot);
      run?.();
    }
  }

  #head(tick: number): Slot {
    const head = this.#slots[tick % this.#slots.length];
    if (head === undefined) throw new RangeError('timer wheel slot out of range');
    return head;
  }

  #cancel(slot: Slot): void {
    if (slot.run === undefined) return;
    slot.run = undefined;
    if (slot.previous !== undefined) slot.previous.next = slot.next;
    if (slot.next !== undefined) slot.next.previous = slot.previous;
    slot.next = undefined;
    slot.previous = undefined;
    this.#active--;
  }
}

function ring(): Slot {
  const head: Slot = { deadline: 0, run: undefined, next: undefined, previous: undefined, cancel: () => {} };
  head.next = head;
  head.previous = head;
  return head;
}
