/** Randomness, as a port: cryptographic in `node`, seeded in `sim`. */
export interface Rng {
  /** `length` random bytes in an array of their own. */
  bytes(length: number): Uint8Array;
  /** A uniform number in [0, 1). */
  fraction(): number;
}
