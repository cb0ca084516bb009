/** Where the switch of one meter can stand. */
export const SWITCH_STATES = [
  'planned',
  'notified',
  'credential-staged',
  'cut-over-read',
  'switched',
  'confirmed',
  'exception',
  'rolled-back',
] as const;
/** Where the switch of one meter stands. */
export type SwitchState = (typeof SWITCH_STATES)[number];

/**
 * The steps in their order. Each has one external effect, is written down before and after it, and finds out
 * from the card or the meter whether the effect is there already.
 */
export type SwitchStep =
  | 'mandate'
  | 'look-up'
  | 'card-certificate'
  | 'install-domain'
  | 'agree-keys'
  | 'own-keys'
  | 'record-key'
  | 'schedule'
  | 'cut-over-read'
  | 'extradite'
  | 'open-account'
  | 'first-record'
  | 'close-account'
  | 'remove-old'
  | 'probe-old'
  | 'close';

/** What a step leads to, and whether the switch can still be taken back before it. */
interface StepRule {
  readonly step: SwitchStep;
  /** The state when the step is done. */
  readonly state: SwitchState;
  /** May only begin at the instant of the switch. */
  readonly atCutOver: boolean;
}

/**
 * The order of steps. The cut-over reading is the commit point: it ends the old supplier's records for good.
 */
export const SWITCH_STEPS: readonly StepRule[] = [
  { step: 'mandate', state: 'planned', atCutOver: false },
  { step: 'look-up', state: 'planned', atCutOver: false },
  { step: 'card-certificate', state: 'notified', atCutOver: false },
  { step: 'install-domain', state: 'notified', atCutOver: false },
  { step: 'agree-keys', state: 'notified', atCutOver: false },
  { step: 'own-keys', state: 'notified', atCutOver: false },
  { step: 'record-key', state: 'notified', atCutOver: false },
  { step: 'schedule', state: 'credential-staged', atCutOver: false },
  { step: 'cut-over-read', state: 'cut-over-read', atCutOver: true },
  { step: 'extradite', state: 'cut-over-read', atCutOver: true },
  { step: 'open-account', state: 'switched', atCutOver: true },
  { step: 'first-record', state: 'switched', atCutOver: true },
  { step: 'close-account', state: 'switched', atCutOver: true },
  { step: 'remove-old', state: 'switched', atCutOver: true },
  { step: 'probe-old', state: 'switched', atCutOver: true },
  { step: 'close', state: 'confirmed', atCutOver: true },
];

const ORDER: ReadonlyMap<SwitchStep, number> = new Map(SWITCH_STEPS.map(({ step }, at) => [step, at]));
const COMMIT_POINT = ORDER.get('cut-over-read') ?? 0;

/** The step after `step`, or the first without one; undefined after the last. */
export function stepAfter(step: SwitchStep | undefined): StepRule | undefined {
  return SWITCH_STEPS[step === undefined ? 0 : (ORDER.get(step) ?? SWITCH_STEPS.length) + 1];
}

/** True when the next step asks something of the head end, and not of parties and the market alone. */
export function needsHeadEnd(done: SwitchStep | undefined): boolean {
  return done !== undefined && done !== 'mandate';
}

/** How many steps come after `step`, or are there at all without one. */
export function stepsLeft(step: SwitchStep | undefined): number {
  return SWITCH_STEPS.length - 1 - (step === undefined ? -1 : (ORDER.get(step) ?? 0));
}

/** True when nothing more will happen to the meter. */
export function isSwitchOver(state: SwitchState): boolean {
  return state === 'confirmed' || state === 'exception' || state === 'rolled-back';
}

/** True while the old supplier has lost nothing: before the cut-over reading was taken, or can have been. */
export function canBeTakenBack(done: SwitchStep | undefined, inDoubt: boolean): boolean {
  const reached = done === undefined ? -1 : (ORDER.get(done) ?? 0);
  return reached + (inDoubt ? 1 : 0) < COMMIT_POINT;
}
