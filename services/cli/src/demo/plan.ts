import type { AskedFleet } from '../fleet/fleet-options.ts';

/** What a demo is asked to do. */
export interface DemoPlan extends AskedFleet {
  readonly durationSeconds: number;
}
