import type { RetryParameters } from '../accounts/accounts.ts';

/** What follows a failed attempt to register. */
export type RetryStep =
  | { readonly kind: 'retry'; readonly afterSeconds: number }
  /** All sequences are used up: bootstrap anew, or stay silent. */
  | { readonly kind: 'exhausted' };

/** No delay is longer: it keeps a doubling timer from outliving the device. */
const DELAY_SECONDS_MAX = 7 * 86_400;

/**
 * What to do after the `failures`-th failed attempt in a row, 1 being the first (Core §6.2.1.1): attempts of
 * one sequence lie `timer`, `2 * timer`, `4 * timer`, ... apart, sequences lie the sequence delay apart.
 */
export function afterFailure(failures: number, parameters: RetryParameters): RetryStep {
  const count = Math.max(1, parameters.count);
  const sequences = Math.max(1, parameters.sequenceCount);
  if (failures >= count * sequences) return { kind: 'exhausted' };
  const attempt = failures % count;
  const afterSeconds =
    attempt === 0 ? parameters.sequenceDelaySeconds : parameters.timerSeconds * 2 ** (attempt - 1);
  return { kind: 'retry', afterSeconds: Math.min(afterSeconds, DELAY_SECONDS_MAX) };
}

/**
 * Seconds until the next Update: early enough that its retransmissions end before the lifetime does (Core
 * §6.2.2), late enough not to waste energy. Undefined for an endless lifetime.
 */
export function updateAfterSeconds(lifetimeSeconds: number, transmitWaitSeconds: number): number | undefined {
  if (lifetimeSeconds === 0) return undefined;
  return lifetimeSeconds > 2 * transmitWaitSeconds
    ? lifetimeSeconds - transmitWaitSeconds
    : lifetimeSeconds / 2;
}
