/** Fewer meters than this say nothing about a failure share. */
const STOP_NEEDS = 20;

/**
 * How many meters may have been begun in each wave and those before it; the last is all of them.
 *
 * @param waves Shares of all meters in per cent; what is left of the hundred is a wave of its own.
 */
export function waveLimits(total: number, waves: readonly number[]): readonly number[] {
  const limits: number[] = [];
  let begun = 0;
  for (const share of waves) {
    begun = Math.min(total, begun + Math.ceil((total * share) / 100));
    limits.push(begun);
  }
  if (begun < total || limits.length === 0) limits.push(total);
  return limits;
}

/** What a share of failures is judged on. */
export interface Tally {
  /** Meters that are prepared for the instant or over. */
  readonly passed: number;
  /** Those that ended as an exception. */
  readonly failed: number;
}

/** Before so many meters have passed no share is judged: the whole first wave, where it is smaller. */
export function stopNeeds(total: number, waves: readonly number[]): number {
  const [first = total] = waveLimits(total, waves);
  return waves.length > 0 ? Math.min(STOP_NEEDS, first) : STOP_NEEDS;
}

/** Why a switch has to stop by itself, or undefined. @param stopAbovePercent 0 for never. */
export function reasonToStop(
  { passed, failed }: Tally,
  stopAbovePercent: number,
  needs: number,
): string | undefined {
  if (stopAbovePercent === 0 || passed < needs || (failed * 100) / passed <= stopAbovePercent)
    return undefined;
  return `${failed} of ${passed} meters failed: more than ${stopAbovePercent} per cent`;
}
