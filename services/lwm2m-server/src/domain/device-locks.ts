import type { Timers } from '@sefleet/runtime';
import { serviceError } from '../errors.ts';

/** Callers that wait for one device. */
const WAITING_MAX = 256;

interface Lock {
  readonly waiting: Set<() => void>;
}

/** One holder a device at a time; others wait in the order in which they came. */
export class DeviceLocks {
  readonly #timers: Timers;
  readonly #locks = new Map<string, Lock>();

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /**
   * Waits for the lock of a device.
   *
   * @returns the function that gives it back; calling it twice does nothing
   * @throws SefleetError `LWM2M_APDU_LOCK_TIMEOUT`
   */
  async acquire(endpoint: string, waitMs: number): Promise<() => void> {
    const held = this.#locks.get(endpoint);
    if (held === undefined) this.#locks.set(endpoint, { waiting: new Set() });
    else await this.#wait(endpoint, held, waitMs);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#passOn(endpoint);
    };
  }

  #wait(endpoint: string, { waiting }: Lock, waitMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const give = (): void => {
        timer.cancel();
        resolve();
      };
      const timer = this.#timers.after(waitMs, () => {
        waiting.delete(give);
        reject(serviceError('LWM2M_APDU_LOCK_TIMEOUT', `the secure element of ${endpoint} is busy`));
      });
      if (waiting.size >= WAITING_MAX) {
        timer.cancel();
        reject(
          serviceError('LWM2M_APDU_LOCK_TIMEOUT', `too many wait for the secure element of ${endpoint}`),
        );
      } else waiting.add(give);
    });
  }

  #passOn(endpoint: string): void {
    const lock = this.#locks.get(endpoint);
    const [next] = lock?.waiting ?? [];
    if (lock === undefined || next === undefined) this.#locks.delete(endpoint);
    else {
      lock.waiting.delete(next);
      next();
    }
  }
}
