/** Time, as a port. */
export interface Clock {
  /** Milliseconds that only ever grow, from an arbitrary start. For time-outs and durations. */
  monotonicMs(): number;
  /** Milliseconds since 1970-01-01T00:00:00Z. For what people and certificates read; may jump. */
  wallMs(): number;
}

/** A timer that was started; cancelling it twice or after it ran does nothing. */
export interface Timer {
  cancel(): void;
}

/** Timers, as a port. One implementation serves a whole fleet, so a timer has to be cheap. */
export interface Timers {
  /** Runs `run` once, not before `delayMs` milliseconds have passed (0 means: in a later turn). */
  after(delayMs: number, run: () => void): Timer;
}
