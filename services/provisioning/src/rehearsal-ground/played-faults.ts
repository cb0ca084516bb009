import { createHash } from 'node:crypto';

/** What is played on the way to one meter. All of it follows from the seed and the meter's name. */
export interface PlayedFaults {
  /** Away between these instants; undefined when it never is. */
  readonly away: { readonly from: number; readonly until: number } | undefined;
  /** By how much the meter's clock is ahead, in milliseconds. */
  readonly driftMs: number;
  /** Number of the exchange at which each happens, once; 0 for never. */
  readonly lostAnswerAt: number;
  readonly powerCutAt: number;
  readonly duplicateAt: number;
  /** A command of earlier is sent again before this one. */
  readonly replayAt: number;
  /** By how much the register leaps in the interval that ends at the instant; 0 when it does not. */
  readonly leapWh: number;
  /** The register comes to its capacity in that interval and begins at 0 again. */
  readonly rollsOver: boolean;
  /** Another card answers in place of the meter's. */
  readonly swapped: boolean;
  /** Their names, for the report. */
  readonly names: readonly string[];
}

/** Exchanges of a whole switch, roughly: a fault can happen at each of them. */
const EXCHANGES = 60;
const MINUTE_MS = 60_000;
const AWAY_BEFORE_MS = 5 * MINUTE_MS;
const AWAY_MINUTES_MIN = 5;
const AWAY_MINUTES_SPAN = 55;
const DRIFT_SPAN_MS = 30_000;
const CLOCK_OFF_MS = { min: 2 * MINUTE_MS, span: 6 * MINUTE_MS };
const NAMES = [
  'offline',
  'drift',
  'clock-off',
  'lost-ack',
  'power-cut',
  'duplicate',
  'replay',
  'swap',
  'leap',
  'rollover',
];
/** More than any household uses in a quarter of an hour. */
const LEAP_WH = 250_000;

/** The faults of one meter. */
export function faultsOf(
  shares: ReadonlyMap<string, number>,
  seed: string,
  endpoint: string,
  cutOverAt: number,
): PlayedFaults {
  const chance = (what: string): number => {
    const digest = createHash('sha256').update(`${seed}/${what}/${endpoint}`).digest();
    return digest.readUInt32BE(0) / 0x1_0000_0000;
  };
  const happens = (fault: string): boolean => chance(fault) * 100 < (shares.get(fault) ?? 0);
  const exchange = (fault: string): number =>
    happens(fault) ? 1 + Math.floor(chance(`${fault} at`) * EXCHANGES) : 0;
  const offline = happens('offline');
  const awayMs = (AWAY_MINUTES_MIN + chance('away') * AWAY_MINUTES_SPAN) * MINUTE_MS;
  const played = {
    away: offline ? { from: cutOverAt - AWAY_BEFORE_MS, until: Math.round(cutOverAt + awayMs) } : undefined,
    driftMs: happens('clock-off')
      ? clockOff(chance('clock-off by'))
      : happens('drift')
        ? Math.round((chance('drift by') * 2 - 1) * DRIFT_SPAN_MS)
        : 0,
    lostAnswerAt: exchange('lost-ack'),
    powerCutAt: exchange('power-cut'),
    duplicateAt: exchange('duplicate'),
    replayAt: exchange('replay'),
    leapWh: happens('leap') ? LEAP_WH : 0,
    rollsOver: happens('rollover'),
    swapped: happens('swap'),
  };
  return { ...played, names: NAMES.filter(happens) };
}

/** Ahead or behind by minutes: more than a reading of the instant may be off. */
function clockOff(chance: number): number {
  const { min, span } = CLOCK_OFF_MS;
  return Math.round(chance < 0.5 ? -min - 2 * chance * span : min + (2 * chance - 1) * span);
}
