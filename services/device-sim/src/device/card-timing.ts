import type { Runtime } from '@sefleet/runtime';
import { commandTimeMs, JAVA_CARD_2015, type TimingCosts, type TimingProfile } from '@sefleet/secure-element';

/** What the settings say of a chip's time. */
export interface CardTimingSettings {
  /** How long cards take; `off` unless given. */
  readonly seTiming?: 'off' | 'java-card-2015';
  /** Costs in place of the profile's. */
  readonly seTimingCosts?: TimingCosts;
}

/** The profile that the settings ask for; undefined: answers come at once. */
export function timingOf({ seTiming = 'off', seTimingCosts }: CardTimingSettings): TimingProfile | undefined {
  return seTiming === 'off' ? undefined : { ...JAVA_CARD_2015, ...seTimingCosts };
}

/**
 * The time that a chip would take for what a virtual card does at once. A chip does one thing after the
 * other: what the device seals keeps a visitor's command waiting too.
 */
export class CardTiming {
  readonly #profile: TimingProfile;
  readonly #runtime: Pick<Runtime, 'clock' | 'timers'>;
  #busyUntilMs = 0;

  constructor(profile: TimingProfile, runtime: Pick<Runtime, 'clock' | 'timers'>) {
    this.#profile = profile;
    this.#runtime = runtime;
  }

  /** The card has answered a command: the chip would be busy with it for a while. */
  spend(command: Uint8Array, response: Uint8Array): void {
    const startMs = Math.max(this.#busyUntilMs, this.#runtime.clock.monotonicMs());
    this.#busyUntilMs = startMs + commandTimeMs(this.#profile, command, response);
  }

  /** True while the chip would still be at work. */
  get busy(): boolean {
    return this.#busyUntilMs > this.#runtime.clock.monotonicMs();
  }

  /** `value`, as soon as the chip would be done with everything that it has been asked. */
  whenDone<T>(value: T): T | Promise<T> {
    if (!this.busy) return value;
    const delayMs = Math.max(0, this.#busyUntilMs - this.#runtime.clock.monotonicMs());
    return new Promise((resolve) => {
      this.#runtime.timers.after(delayMs, () => resolve(value));
    });
  }
}
