import { createHash } from 'node:crypto';
import type { SwitchOrder } from '../domain/switch/switch-order.ts';

/** The faults of a rehearsal that are to happen to this meter. */
export function playedOn(order: SwitchOrder, endpoint: string): string[] {
  return [...order.faults.keys()].filter((fault) => isPlayedOn(order, fault, endpoint));
}

/** True when a fault of a rehearsal is to happen to this meter: the seed decides, the same way every time. */
export function isPlayedOn({ faults, seed }: SwitchOrder, fault: string, endpoint: string): boolean {
  const percent = faults.get(fault) ?? 0;
  if (percent === 0) return false;
  const digest = createHash('sha256').update(`${seed}/${fault}/${endpoint}`).digest();
  return (digest.readUInt32BE(0) / 0x1_0000_0000) * 100 < percent;
}
