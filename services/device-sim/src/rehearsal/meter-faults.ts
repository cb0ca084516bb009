import { createHash } from 'node:crypto';

/** What is played on the way to one meter. All of it follows from the seed and the meter's name. */
export interface MeterFaults {
  /** Without a network between these instants; undefined when it never is. */
  readonly away: { readonly fromMs: number; readonly untilMs: number } | undefined;
  /** By how much the meter's clock is ahead. */
  readonly driftMs: number;
  /** Number of the command to the card at which each happens, once; 0 for never. */
  readonly at: Readonly<Record<CommandFault, number>>;
  /** Another card answers in place of the meter's. */
  readonly swapped: boolean;
  /** Their names, for the report. */
  readonly names: readonly string[];
}

/** What can happen at a command: see {@link MeterFaults.at}. */
export type CommandFault = 'lost-ack' | 'power-cut' | 'duplicate' | 'replay';

const NAMES = ['offline', 'drift', 'clock-off', 'lost-ack', 'power-cut', 'duplicate', 'replay', 'swap'];
/** Commands of a whole switch, roughly: a fault can happen at each of them. */
const COMMANDS = 80;
const MINUTE_MS = 60_000;
const AWAY_BEFORE_MS = 5 * MINUTE_MS;
const AWAY_AFTER_MS = { min: 5 * MINUTE_MS, span: 55 * MINUTE_MS };
const DRIFT_SPAN_MS = 30_000;
const CLOCK_OFF_MS = { min: 2 * MINUTE_MS, span: 6 * MINUTE_MS };

/** The faults of a meter. @param shares per cent of the meters, by fault */
export function meterFaults(
  shares: ReadonlyMap<string, number>,
  seed: string,
  endpoint: string,
  cutOverAtMs: number,
): MeterFaults {
  const chance = (what: string): number =>
    createHash('sha256').update(`${seed}/${what}/${endpoint}`).digest().readUInt32BE(0) / 2 ** 32;
  const happens = (name: string): boolean => chance(name) * 100 < (shares.get(name) ?? 0);
  const command = (name: CommandFault): number =>
    happens(name) ? 1 + Math.floor(chance(`${name} at`) * COMMANDS) : 0;
  const awayMs = AWAY_AFTER_MS.min + chance('away') * AWAY_AFTER_MS.span;
  return {
    away: happens('offline')
      ? { fromMs: cutOverAtMs - AWAY_BEFORE_MS, untilMs: Math.round(cutOverAtMs + awayMs) }
      : undefined,
    driftMs: happens('clock-off')
      ? clockOff(chance('clock-off by'))
      : happens('drift')
        ? Math.round((2 * chance('drift by') - 1) * DRIFT_SPAN_MS)
        : 0,
    at: {
      'lost-ack': command('lost-ack'),
      'power-cut': command('power-cut'),
      duplicate: command('duplicate'),
      replay: command('replay'),
    },
    swapped: happens('swap'),
    names: NAMES.filter(happens),
  };
}

/** Ahead or behind by minutes: more than a reading of the instant may be off. */
function clockOff(chance: number): number {
  const { min, span } = CLOCK_OFF_MS;
  return Math.round(chance < 0.5 ? -min - 2 * chance * span : min + (2 * chance - 1) * span);
}
