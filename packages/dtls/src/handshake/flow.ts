import { AlertDescription } from '../constants.ts';
import { HandshakeFailure } from '../errors.ts';
import type { IncomingMessage } from './reassembly.ts';

/**
 * ChangeCipherSpec is no handshake message, but it is expected like one: this stands for it in step tables.
 */
export const CHANGE_CIPHER_SPEC = -1;

/** What one role does in a handshake: which messages it expects in which order, and what it answers. */
export interface Flow {
  /** The PSK identity or certificate name that the peer claims, for reports. */
  readonly claimedIdentity: string | undefined;
  /** Tells two handshakes from one address apart. */
  readonly clientRandom: Uint8Array | undefined;
  /**
   * The failure to report when the peer's first protected record does not open, where a wrong PSK is the
   * likely cause.
   */
  readonly wrongKey: HandshakeFailure | undefined;
  start(): void | Promise<void>;
  expects(type: number): boolean;
  step(type: number, message: IncomingMessage | undefined): void | Promise<void>;
}

/** A state machine as data: for each state the inputs it takes; everything else is unexpected. */
export type StepTable<State extends string, Context> = Readonly<
  Record<
    State,
    Readonly<Partial<Record<number, (context: Context, message: IncomingMessage) => State | Promise<State>>>>
  >
>;

/** Looks a step up and runs it; the new state is handed to `enter`. */
export function takeStep<State extends string, Context>(
  table: StepTable<State, Context>,
  state: State,
  context: Context,
  input: { readonly type: number; readonly message: IncomingMessage | undefined },
  enter: (next: State) => void,
): void | Promise<void> {
  const step = table[state][input.type];
  if (step === undefined) throw unexpectedMessage(`message ${input.type} in state ${state}`);
  const next = step(context, input.message ?? NO_MESSAGE);
  if (next instanceof Promise) return next.then(enter);
  enter(next);
}

/** Goes on with a value that may still have to come; without a promise it does so at once. */
export function whenReady<T, R>(value: T | Promise<T>, next: (value: T) => R | Promise<R>): R | Promise<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}

export function unexpectedMessage(message: string): HandshakeFailure {
  return new HandshakeFailure('unexpectedMessage', AlertDescription.unexpected_message, message);
}

const NO_BYTES = new Uint8Array(0);
const NO_MESSAGE: IncomingMessage = {
  type: CHANGE_CIPHER_SPEC,
  body: NO_BYTES,
  whole: NO_BYTES,
  epoch: 0,
  recordSequence: 0,
};
