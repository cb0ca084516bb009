/** One measured value. */
export interface Measurement {
  /** For example `activeEnergyWh` or `heartRate`. */
  readonly metric: string;
  readonly value: number;
  readonly unit: string;
}

/**
 * What a device measures. A model is a pure function of its seed and of virtual time, apart from what it has
 * integrated so far; that part is {@link BehaviourModel.snapshot}.
 */
export interface BehaviourModel {
  /** Moves on to `atMs` (virtual, never backwards) and measures. */
  sample(atMs: number): readonly Measurement[];
  /** What has been integrated, as JSON, for {@link BehaviourModel.restore} after a restart. */
  snapshot(): string;
  /** Goes on from a snapshot of a model with the same seed. */
  restore(snapshot: string): void;
  /**
   * Begins anew with the registers of a snapshot, whatever its seed: a meter that was installed goes on
   * counting.
   */
  carryOver(snapshot: string): void;
}
