import {
  APPLICATION_LIFE_CYCLE,
  CARD_LIFE_CYCLE,
  LIFE_CYCLE_LOCKED,
  PRIVILEGE,
  SECURITY_DOMAIN_LIFE_CYCLE,
} from '@sefleet/globalplatform';

const { OP_READY, INITIALIZED, SECURED, CARD_LOCKED, TERMINATED } = CARD_LIFE_CYCLE;
const { SELECTABLE, PERSONALIZED } = SECURITY_DOMAIN_LIFE_CYCLE;

/** From state, to state, and the privilege that it takes besides authentication (GPCS 2.3.1 figure 5-1). */
const CARD_TRANSITIONS: readonly (readonly [from: number, to: number, privilege: number])[] = [
  [OP_READY, INITIALIZED, 0],
  [OP_READY, SECURED, 0],
  [INITIALIZED, SECURED, 0],
  [SECURED, CARD_LOCKED, PRIVILEGE.CARD_LOCK],
  [CARD_LOCKED, SECURED, PRIVILEGE.CARD_LOCK],
  [OP_READY, TERMINATED, PRIVILEGE.CARD_TERMINATE],
  [INITIALIZED, TERMINATED, PRIVILEGE.CARD_TERMINATE],
  [SECURED, TERMINATED, PRIVILEGE.CARD_TERMINATE],
  [CARD_LOCKED, TERMINATED, PRIVILEGE.CARD_TERMINATE],
];

/**
 * The privilege for a transition of the card (0 when none is needed), or undefined when there is no such
 * transition.
 */
export function cardTransition(from: number, to: number): number | undefined {
  return CARD_TRANSITIONS.find((row) => row[0] === from && row[1] === to)?.[2];
}

/** What SET STATUS asks of an application or Security Domain. */
export type LifeCycleChange =
  | { readonly kind: 'lock' }
  | { readonly kind: 'unlock' }
  | { readonly kind: 'move'; readonly state: number };

/** The states that a Security Domain moves to by itself (GPCS 2.3.1 figure 5-3). */
const DOMAIN_MOVES: readonly (readonly [from: number, to: number])[] = [
  [SELECTABLE, PERSONALIZED],
  [PERSONALIZED, PERSONALIZED],
];

/**
 * Reads the state byte of SET STATUS against the state that is; undefined when the transition is not legal.
 */
export function lifeCycleChange(
  kind: 'security-domain' | 'application',
  from: number,
  to: number,
): LifeCycleChange | undefined {
  const locked = (from & LIFE_CYCLE_LOCKED) !== 0;
  if ((to & LIFE_CYCLE_LOCKED) !== 0) return locked ? undefined : { kind: 'lock' };
  if (locked) return { kind: 'unlock' };
  if (kind === 'security-domain') {
    return DOMAIN_MOVES.some(([a, b]) => a === from && b === to) ? { kind: 'move', state: to } : undefined;
  }
  // GPCS 2.3.1 §5.3.1.5: the application's own states keep the three low bits.
  const own = from >= APPLICATION_LIFE_CYCLE.SELECTABLE && (to & 0x07) === 0x07;
  return own ? { kind: 'move', state: to } : undefined;
}
