/** More than this share of its capacity no register grows between two readings. */
const ROLLOVER_SHARE = 0.01;

/**
 * What a register grew by between two of its readings. One that was close to its capacity and is close to 0
 * has begun at 0 again.
 *
 * @returns Less than 0 for a register that ran backwards.
 */
export function growthOf(before: number, after: number, capacityWh = Number.POSITIVE_INFINITY): number {
  if (after >= before || !Number.isFinite(capacityWh)) return after - before;
  const rolledOver = after + capacityWh - before;
  return before < capacityWh && rolledOver <= capacityWh * ROLLOVER_SHARE ? rolledOver : after - before;
}
