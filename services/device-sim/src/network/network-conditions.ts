/** What the path between the devices and their servers does to datagrams, in both directions. */
export interface NetworkConditions {
  /** Share of datagrams that are lost, 0 to 1. */
  readonly lossShare: number;
  /** Share of datagrams that arrive twice, 0 to 1. */
  readonly duplicateShare: number;
  readonly delayMsMin: number;
  /** A larger maximum than minimum lets datagrams overtake each other. */
  readonly delayMsMax: number;
  /** A NAT on the path gives every device a new address each so many milliseconds; 0: never. */
  readonly rebindEveryMs: number;
}

/** A path that does nothing to datagrams. */
export const CLEAR_NETWORK: NetworkConditions = {
  lossShare: 0,
  duplicateShare: 0,
  delayMsMin: 0,
  delayMsMax: 0,
  rebindEveryMs: 0,
};

/** True when the path leaves datagrams as they are, and a channel needs no wrapping. */
export function isClear({
  lossShare,
  duplicateShare,
  delayMsMax,
  rebindEveryMs,
}: NetworkConditions): boolean {
  return lossShare === 0 && duplicateShare === 0 && delayMsMax === 0 && rebindEveryMs === 0;
}
