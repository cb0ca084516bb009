import { createHash } from 'node:crypto';
import type { SwitchOrder } from '../domain/switch/switch-order.ts';
import { isPlayedOn } from './faults.ts';

/** The register of a market, which knows the metering point of every meter. */
export interface MarketRegister {
  /** When a question that is asked now is answered, milliseconds since 1970. */
  answerAt(order: SwitchOrder, endpoint: string, askedAt: number): number;
}

/** The register that is at hand: the service's own books answer at once. */
export const OWN_REGISTER: MarketRegister = { answerAt: (_order, _endpoint, askedAt) => askedAt };

const MINUTE_MS = 60_000;
/** Answers come in batches. */
const BATCH_MS = 5 * MINUTE_MS;
const SLOWEST_MS = 55 * MINUTE_MS;
const LATE_MS = 3 * 60 * MINUTE_MS;

/**
 * A register of a rehearsal: most answers come soon, few late, and as many as the fault `look-up-late` says
 * after their deadline. The same seed gives the same times.
 */
export const REHEARSED_REGISTER: MarketRegister = {
  answerAt: (order, endpoint, askedAt) => {
    if (isPlayedOn(order, 'look-up-late', endpoint)) return askedAt + LATE_MS;
    const digest = createHash('sha256').update(`${order.seed}/look-up/${endpoint}`).digest();
    // The sixth power of an even distribution: half of the answers come in the first minute.
    const share = (digest.readUInt32BE(0) / 0x1_0000_0000) ** 6;
    return Math.ceil((askedAt + share * SLOWEST_MS) / BATCH_MS) * BATCH_MS;
  },
};
