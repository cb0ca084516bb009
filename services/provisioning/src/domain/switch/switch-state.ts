import type { SwitchVerb } from './switch-order.ts';

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
 * The steps. Each has one external effect, is written down before and after it, and finds out from the card
 * or the meter whether the effect is there already.
 */
export type SwitchStep =
  | 'mandate'
  | 'owner-mandate'
  | 'look-up'
  | 'card-certificate'
  | 'look-beside'
  | 'install-domain'
  | 'agree-keys'
  | 'own-keys'
  | 'install-applet'
  | 'record-key'
  | 'own-account'
  | 'schedule'
  | 'cut-over-read'
  | 'extradite'
  | 'open-account'
  | 'first-record'
  | 'close-account'
  | 'remove-old'
  | 'probe-old'
  | 'probe-beside'
  | 'close';

/** What a step leads to, and whether the switch can still be taken back before it. */
interface StepRule {
  readonly step: SwitchStep;
  /** The state when the step is done. */
  readonly state: SwitchState;
  /** May only begin at the instant of the switch. */
  readonly atCutOver: boolean;
}

/** One stakeholder follows another. */
const HAND_OVER = steps(
  [
    ['mandate', 'planned'],
    ['look-up', 'planned'],
    ['card-certificate', 'notified'],
    ['install-domain', 'notified'],
    ['agree-keys', 'notified'],
    ['own-keys', 'notified'],
    ['record-key', 'notified'],
    ['schedule', 'credential-staged'],
  ],
  [
    ['cut-over-read', 'cut-over-read'],
    ['extradite', 'cut-over-read'],
    ['open-account', 'switched'],
    ['first-record', 'switched'],
    ['close-account', 'switched'],
    ['remove-old', 'switched'],
    ['probe-old', 'switched'],
    ['close', 'confirmed'],
  ],
);

/**
 * A stakeholder comes beside another. The device knows from when on it reads for it before the applet is
 * there, so that it never reads for it earlier.
 */
const ADDITION = steps(
  [
    ['owner-mandate', 'planned'],
    ['look-up', 'planned'],
    ['card-certificate', 'notified'],
    ['look-beside', 'notified'],
    ['install-domain', 'notified'],
    ['agree-keys', 'notified'],
    ['own-keys', 'notified'],
    ['schedule', 'notified'],
    ['install-applet', 'notified'],
    ['own-account', 'credential-staged'],
  ],
  [
    ['cut-over-read', 'cut-over-read'],
    ['open-account', 'switched'],
    ['first-record', 'switched'],
    ['probe-beside', 'switched'],
    ['close', 'confirmed'],
  ],
);

/** A stakeholder goes, and another stays. */
const REMOVAL = steps(
  [
    ['owner-mandate', 'planned'],
    ['card-certificate', 'notified'],
    ['look-beside', 'notified'],
    ['schedule', 'credential-staged'],
  ],
  [
    ['cut-over-read', 'cut-over-read'],
    ['first-record', 'switched'],
    ['close-account', 'switched'],
    ['remove-old', 'switched'],
    ['probe-old', 'switched'],
    ['close', 'confirmed'],
  ],
);

/**
 * The steps of every verb in their order. The cut-over reading is the commit point: it ends or begins
 * somebody's records for good.
 */
export const SWITCH_STEPS: Readonly<Record<SwitchVerb, readonly StepRule[]>> = {
  switch: HAND_OVER,
  'erroneous-transfer': HAND_OVER,
  'forced-switch': HAND_OVER,
  'move-in': HAND_OVER,
  add: ADDITION,
  remove: REMOVAL,
};

const COMMIT_POINT: SwitchStep = 'cut-over-read';
const WITHOUT_HEAD_END: ReadonlySet<SwitchStep> = new Set(['mandate', 'owner-mandate', 'look-up']);

/** The step after `step`, or the first without one; undefined after the last. */
export function stepAfter(verb: SwitchVerb, step: SwitchStep | undefined): StepRule | undefined {
  return SWITCH_STEPS[verb][placeOf(verb, step) + 1];
}

/** True when the next step asks something of the head end, and not of parties and the market alone. */
export function needsHeadEnd(verb: SwitchVerb, done: SwitchStep | undefined): boolean {
  const next = stepAfter(verb, done)?.step;
  return next === undefined || !WITHOUT_HEAD_END.has(next);
}

/** How many steps come after `step`, or are there at all without one. */
export function stepsLeft(verb: SwitchVerb, step: SwitchStep | undefined): number {
  return SWITCH_STEPS[verb].length - 1 - placeOf(verb, step);
}

/** True when nothing more will happen to the meter. */
export function isSwitchOver(state: SwitchState): boolean {
  return state === 'confirmed' || state === 'exception' || state === 'rolled-back';
}

/** True when a step of the verb was begun: its effect is there, or may be. */
export function wasBegun(
  verb: SwitchVerb,
  step: SwitchStep,
  done: SwitchStep | undefined,
  inDoubt: boolean,
): boolean {
  const place = SWITCH_STEPS[verb].findIndex((rule) => rule.step === step);
  return place >= 0 && placeOf(verb, done) + (inDoubt ? 1 : 0) >= place;
}

/** True while nobody has lost or won anything: before the cut-over reading was taken, or can have been. */
export function canBeTakenBack(verb: SwitchVerb, done: SwitchStep | undefined, inDoubt: boolean): boolean {
  return !wasBegun(verb, COMMIT_POINT, done, inDoubt);
}

function placeOf(verb: SwitchVerb, step: SwitchStep | undefined): number {
  return SWITCH_STEPS[verb].findIndex((rule) => rule.step === step);
}

function steps(
  before: readonly (readonly [SwitchStep, SwitchState])[],
  after: readonly (readonly [SwitchStep, SwitchState])[],
): readonly StepRule[] {
  return [
    ...before.map(([step, state]) => ({ step, state, atCutOver: false })),
    ...after.map(([step, state]) => ({ step, state, atCutOver: true })),
  ];
}
