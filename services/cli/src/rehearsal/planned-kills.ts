import { createHash } from 'node:crypto';
import type { RehearsalProcess } from './rehearsal-layout.ts';

/** A part of a rehearsal: meters are put up, change hands, and what is left of it is collected and judged. */
export type RehearsalPhase = 'prepare' | 'switch' | 'check';

/** A service that is killed in the middle, and started again. */
export interface PlannedKill {
  readonly service: RehearsalProcess;
  readonly at: KillPoint;
}

/**
 * When a kill falls: so far into a part, as a share of its work, or so long after the switch began, as the
 * command line says it.
 */
export type KillPoint =
  | { readonly phase: RehearsalPhase; readonly share: number }
  | { readonly phase: 'switch'; readonly afterMs: number };

/** Of all kills, so many fall into each part. */
const PHASES: readonly (readonly [RehearsalPhase, number])[] = [
  ['prepare', 0.1],
  ['switch', 0.8],
  ['check', 0.1],
];

/** Kills at random points of a rehearsal, of any of `services`: the seed decides. */
export function randomKills(
  seed: number,
  services: readonly RehearsalProcess[],
  count: number,
): readonly PlannedKill[] {
  return Array.from({ length: count }, (_, i) => {
    const service = services[Math.floor(chance(`service/${seed}/${i}`) * services.length)];
    if (service === undefined) throw new RangeError('nobody to kill');
    return { service, at: pointAt(chance(`point/${seed}/${i}`)) };
  });
}

/** The point at a share of the whole rehearsal. */
function pointAt(share: number): KillPoint {
  let before = 0;
  for (const [phase, part] of PHASES) {
    if (share < before + part) return { phase, share: (share - before) / part };
    before += part;
  }
  return { phase: 'check', share: 1 };
}

function chance(what: string): number {
  return createHash('sha256').update(what).digest().readUInt32BE(0) / 2 ** 32;
}
