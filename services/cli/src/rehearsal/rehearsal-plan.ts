import type { PlannedKill } from './planned-kills.ts';
import type { Pacing } from '../switching/pacing.ts';

/** What is rehearsed, as the command line says it. */
export interface RehearsalPlan {
  readonly story: RehearsalStory;
  readonly meters: number;
  readonly from: string;
  readonly to: string;
  /** Whom meters go on to when they change twice. */
  readonly third: string;
  /** Real time until the instant, milliseconds. */
  readonly noticeMs: number;
  /** The instant, milliseconds since 1970; undefined for one that follows from the notice. */
  readonly cutOverAt: number | undefined;
  /** Whose working days count: DE, DK, GB. */
  readonly market: string;
  /** Virtual time that passes in real time. */
  readonly compress: number;
  readonly faults: ReadonlyMap<string, number>;
  readonly seed: number;
  readonly pacing: Pacing;
  /** Pauses the switch once; undefined for never. */
  readonly pause?: RehearsedPause;
  readonly verb: RehearsalVerb;
  readonly intervalMinutes: number;
  /** Readings before and after the instant, hours. */
  readonly windowHours: number;
  /** Services that are killed on the way. */
  readonly kills: readonly PlannedKill[];
}

/** A pause in a rehearsal. */
export interface RehearsedPause {
  /** Which meters are counted: prepared for the instant or over, or confirmed. */
  readonly of: 'prepared' | 'confirmed';
  /** Begins when so many are, per cent. */
  readonly atPercent: number;
  /** Time of the rehearsal until it is resumed. */
  readonly forMs: number;
}

/** Whose devices change hands. */
export type RehearsalStory = 'supplier-switch' | 'insurer-change' | 'provider-change';

/** Why the meters change their supplier; with `cancel` and `object`, what comes between. */
export type RehearsalVerb =
  | 'switch'
  | 'cancel'
  | 'object'
  | 'erroneous-transfer'
  | 'back-to-back'
  | 'forced-switch'
  | 'move-in'
  | 'add'
  | 'remove'
  | 'add-and-remove';

/** All verbs of a switch from one supplier to another. */
export const REHEARSAL_VERBS: readonly RehearsalVerb[] = [
  'switch',
  'cancel',
  'object',
  'erroneous-transfer',
  'back-to-back',
  'forced-switch',
  'move-in',
];

/** Faults by where they are played. */
export const FAULTS = {
  onTheWay: [
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
  ],
  inTheHouse: ['tsm-preload', 'foreign-certificate', 'expired-certificate', 'se-full', 'look-up-late'],
} as const;

/** Faults of registers, which the meters of the live ground do not play. */
export const LIGHT_FAULTS: readonly string[] = ['leap', 'rollover'];

/** Time zones of the markets whose days a rehearsal can count. */
export const MARKET_ZONES: ReadonlyMap<string, string> = new Map([
  ['DE', 'Europe/Berlin'],
  ['DK', 'Europe/Copenhagen'],
  ['GB', 'Europe/London'],
]);

const PLACES: readonly string[] = [...FAULTS.onTheWay, ...FAULTS.inTheHouse];
const FAULT = /^([a-z-]+)=(\d+(?:\.\d+)?)%?$/;

/** Shares from `offline=2%,lost-ack=1%`; undefined when a fault is unknown or its share no per cent. */
export function parseFaults(text: string): ReadonlyMap<string, number> | undefined {
  const faults = new Map<string, number>();
  for (const part of text.split(',').filter((item) => item !== '')) {
    const [, name = '', share = ''] = FAULT.exec(part.trim()) ?? [];
    if (!PLACES.includes(name) || Number(share) > 100) return undefined;
    faults.set(name, Number(share));
  }
  return faults;
}

const PAUSE_AT = /^(?:(prepared|confirmed)=)?(\d+(?:\.\d+)?)%?$/;

/** When a pause begins, from `50%` or `confirmed=50%`; undefined when it is no such moment. */
export function parsePauseAt(text: string): Omit<RehearsedPause, 'forMs'> | undefined {
  const [, of, percent = ''] = PAUSE_AT.exec(text) ?? [];
  if (percent === '' || Number(percent) <= 0 || Number(percent) > 100) return undefined;
  return { of: of === 'confirmed' ? 'confirmed' : 'prepared', atPercent: Number(percent) };
}
