/**
 * One server's registration as a table (Core §6.2): state x input -> next state and effect. Whoever runs it
 * carries the effects out and feeds their ends back in.
 */
export type RegistrationState =
  | 'idle'
  | 'registering'
  | 'registered'
  | 'updating'
  | 'backing-off'
  | 'deregistering'
  | 'disabled'
  | 'failed';

export type RegistrationInput =
  /** Register now. */
  | 'start'
  /** The server took the Register or the Update. */
  | 'accepted'
  /** No answer, or one that may change: 5.xx. */
  | 'unreachable'
  /** The server refuses the Register: 4.xx. */
  | 'refused'
  /** The server does not know the registration: 4.04 to an Update. */
  | 'forgotten'
  /** The lifetime nears its end, or something that is registered has changed. */
  | 'due'
  /** A back-off or the disable time-out is over. */
  | 'elapsed'
  /** All retries are used up. */
  | 'exhausted'
  /** The server executes Disable. */
  | 'disable'
  /** De-register and end. */
  | 'stop'
  /** The De-register was answered, or given up. */
  | 'done';

export type RegistrationEffect =
  | 'register'
  | 'update'
  | 'deregister'
  | 'back-off'
  | 'wait-disabled'
  | 'give-up'
  | 'none';

interface Transition {
  readonly next: RegistrationState;
  readonly effect: RegistrationEffect;
}

const to = (next: RegistrationState, effect: RegistrationEffect = 'none'): Transition => ({ next, effect });

const TABLE: Readonly<Record<RegistrationState, Partial<Record<RegistrationInput, Transition>>>> = {
  idle: { start: to('registering', 'register') },
  registering: {
    accepted: to('registered'),
    unreachable: to('backing-off', 'back-off'),
    refused: to('backing-off', 'back-off'),
    exhausted: to('failed', 'give-up'),
    stop: to('idle'),
  },
  registered: {
    due: to('updating', 'update'),
    // A reboot or a new connection: what the server holds is replaced.
    start: to('registering', 'register'),
    disable: to('disabled', 'wait-disabled'),
    stop: to('deregistering', 'deregister'),
  },
  updating: {
    accepted: to('registered'),
    // Core §6.2.2: after an Update that failed, register anew.
    unreachable: to('registering', 'register'),
    refused: to('registering', 'register'),
    forgotten: to('registering', 'register'),
    start: to('registering', 'register'),
    disable: to('disabled', 'wait-disabled'),
    stop: to('deregistering', 'deregister'),
  },
  'backing-off': {
    elapsed: to('registering', 'register'),
    start: to('registering', 'register'),
    exhausted: to('failed', 'give-up'),
    stop: to('idle'),
  },
  deregistering: { done: to('idle') },
  disabled: {
    elapsed: to('registering', 'register'),
    start: to('registering', 'register'),
    stop: to('idle'),
  },
  failed: { start: to('registering', 'register'), stop: to('idle') },
};

/** The step for an input; undefined when the state has none for it, so that it is to be ignored. */
export function registrationStep(state: RegistrationState, input: RegistrationInput): Transition | undefined {
  return TABLE[state][input];
}
