/**
 * Which of the last 64 record sequence numbers of an epoch have been seen. RFC 6347 §4.1.2.6.
 *
 * Two 32-bit halves rather than a BigInt: they stay small integers, and a server holds one window a session.
 */
export class ReplayWindow {
  /** The newest number seen, -1 before the first. */
  newest = -1;
  #recent = 0;
  #older = 0;

  /**
   * True when `sequence` may be opened: neither seen nor too old. To be asked before the record is
   * authenticated.
   */
  accepts(sequence: number): boolean {
    if (sequence > this.newest) return true;
    const age = this.newest - sequence;
    if (age >= WINDOW_SIZE) return false;
    return age < 32 ? (this.#recent & (1 << age)) === 0 : (this.#older & (1 << (age - 32))) === 0;
  }

  /** Notes an authenticated record; true when it is the newest so far. */
  note(sequence: number): boolean {
    if (sequence > this.newest) {
      this.#shift(sequence - this.newest);
      this.newest = sequence;
      this.#recent |= 1;
      return true;
    }
    const age = this.newest - sequence;
    if (age < 32) this.#recent |= 1 << age;
    else if (age < WINDOW_SIZE) this.#older |= 1 << (age - 32);
    return false;
  }

  /** The state as three numbers, for export. */
  toJSON(): readonly [newest: number, recent: number, older: number] {
    return [this.newest, this.#recent >>> 0, this.#older >>> 0];
  }

  static from(state: readonly [newest: number, recent: number, older: number]): ReplayWindow {
    const window = new ReplayWindow();
    [window.newest, window.#recent, window.#older] = state;
    return window;
  }

  #shift(by: number): void {
    if (by >= WINDOW_SIZE) {
      this.#recent = 0;
      this.#older = 0;
    } else if (by >= 32) {
      this.#older = by === 32 ? this.#recent : this.#recent << (by - 32);
      this.#recent = 0;
    } else {
      this.#older = (this.#older << by) | (this.#recent >>> (32 - by));
      this.#recent <<= by;
    }
  }
}

const WINDOW_SIZE = 64;
