import type { Timer } from '@sefleet/runtime';
import type { DeviceLife } from '../device/reading-schedule.ts';

interface Pending {
  readonly dueMs: number;
  readonly order: number;
  run: (() => void) | undefined;
}

/** Events after which conversations, which have real time, get a turn. */
const EVENTS_PER_TURN = 32;

/**
 * The time of a rehearsal: nothing falls due but in {@link VirtualTime.advance}, and everything in its order.
 * Each meter has a clock of its own on it, which may be wrong.
 */
export class VirtualTime {
  #nowMs: number;
  #order = 0;
  /** A binary heap by due time. */
  readonly #heap: Pending[] = [];
  #line: Promise<void> = Promise.resolve();

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** The life of a meter whose clock is ahead by `driftMs`. */
  lifeOf(driftMs: number): DeviceLife {
    const localMs = (): number => this.#nowMs + driftMs;
    return {
      clock: { wallMs: localMs, monotonicMs: localMs },
      timers: { after: (delayMs, run) => this.#after(delayMs, run) },
    };
  }

  /** Lets time pass until `toMs`; calls that come meanwhile wait for each other. */
  advance(toMs: number): Promise<void> {
    const passed = this.#line.then(() => this.#pass(toMs));
    this.#line = passed.catch(() => undefined);
    return passed;
  }

  async #pass(toMs: number): Promise<void> {
    for (let events = 1; ; events++) {
      const next = this.#heap[0];
      if (next === undefined || next.dueMs > toMs) break;
      this.#pop();
      if (next.run === undefined) continue;
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.run();
      if (events % EVENTS_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    this.#nowMs = Math.max(this.#nowMs, toMs);
  }

  #after(delayMs: number, run: () => void): Timer {
    const pending: Pending = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, run };
    this.#push(pending);
    return {
      cancel: () => {
        pending.run = undefined;
      },
    };
  }

  #push(pending: Pending): void {
    const heap = this.#heap;
    let at = heap.push(pending) - 1;
    for (let parent = (at - 1) >> 1; at > 0; at = parent, parent = (at - 1) >> 1) {
      const above = heap[parent];
      if (above === undefined || !isBefore(pending, above)) break;
      heap[at] = above;
      heap[parent] = pending;
    }
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const [left, right] = [heap[child], heap[child + 1]];
      if (left === undefined) break;
      if (right !== undefined && isBefore(right, left)) child++;
      const smaller = heap[child];
      if (smaller === undefined || !isBefore(smaller, last)) break;
      heap[at] = smaller;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Pending, b: Pending): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}
