/** How a ground is laid out. */
export interface GroundPlan {
  readonly seed: string;
  readonly startAt: number;
  readonly intervalMs: number;
  readonly cutOverAt: number;
  /** What the registers count, as records name it. */
  readonly metric: number;
  readonly faults: ReadonlyMap<string, number>;
}
