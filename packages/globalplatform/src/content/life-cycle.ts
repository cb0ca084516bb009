/** Life cycle states of the card, carried by the Issuer Security Domain (GPCS 2.3.1 §5.1, table 11-6). */
export const CARD_LIFE_CYCLE = {
  OP_READY: 0x01,
  INITIALIZED: 0x07,
  SECURED: 0x0f,
  CARD_LOCKED: 0x7f,
  TERMINATED: 0xff,
} as const;

/**
 * Life cycle states of Security Domains (GPCS 2.3.1 table 11-5); LOCKED is bit 80 on top of the state before.
 */
export const SECURITY_DOMAIN_LIFE_CYCLE = {
  INSTALLED: 0x03,
  SELECTABLE: 0x07,
  PERSONALIZED: 0x0f,
} as const;

/**
 * Life cycle states of applications (GPCS 2.3.1 table 11-4); 07 to 7F with 111 below is the application's
 * own.
 */
export const APPLICATION_LIFE_CYCLE = { INSTALLED: 0x03, SELECTABLE: 0x07 } as const;

/** The life cycle state of an executable load file. */
export const LOAD_FILE_LOADED = 0x01;

/** Set on top of a state while an application or Security Domain is locked. */
export const LIFE_CYCLE_LOCKED = 0x80;

/** The name of a life cycle state, for people. */
export function lifeCycleName(
  kind: 'card' | 'security-domain' | 'application' | 'load-file',
  state: number,
): string {
  if (kind === 'load-file') return state === LOAD_FILE_LOADED ? 'LOADED' : unknown(state);
  if (kind === 'card') return nameIn(CARD_LIFE_CYCLE, state) ?? unknown(state);
  if ((state & LIFE_CYCLE_LOCKED) !== 0) return 'LOCKED';
  if (kind === 'security-domain') return nameIn(SECURITY_DOMAIN_LIFE_CYCLE, state) ?? unknown(state);
  return nameIn(APPLICATION_LIFE_CYCLE, state) ?? `APPLICATION_SPECIFIC_${state.toString(16)}`;
}

function nameIn(states: Readonly<Record<string, number>>, state: number): string | undefined {
  for (const [name, value] of Object.entries(states)) if (value === state) return name;
  return undefined;
}

function unknown(state: number): string {
  return `UNKNOWN_${state.toString(16)}`;
}
