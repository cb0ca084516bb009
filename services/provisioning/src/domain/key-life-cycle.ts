/** The states of a key, from making to the end (the documents' initialise .. destroy). */
export type KeyState = 'initialised' | 'active' | 'suspended' | 'revoked' | 'destroyed';

/** What is done to a key. */
export type KeyAction = 'activate' | 'suspend' | 'resume' | 'revoke' | 'destroy';

/** One change in the life of a key. */
export interface KeyEvent {
  readonly at: number;
  readonly from: KeyState | undefined;
  readonly to: KeyState;
  readonly reason: string;
}

const TRANSITIONS: Readonly<Record<KeyState, Partial<Readonly<Record<KeyAction, KeyState>>>>> = {
  initialised: { activate: 'active', revoke: 'revoked', destroy: 'destroyed' },
  active: { suspend: 'suspended', revoke: 'revoked' },
  suspended: { resume: 'active', revoke: 'revoked' },
  revoked: { destroy: 'destroyed' },
  destroyed: {},
};

/** The state after `action`, or undefined when the state does not allow it. */
export function nextKeyState(state: KeyState, action: KeyAction): KeyState | undefined {
  return TRANSITIONS[state][action];
}
