import type { Aid, CommandApdu } from '@sefleet/globalplatform';
import type { Rng } from '@sefleet/runtime';

/** What a command gives back: response data with 9000, or with a status word of its own. */
export type Answer = Uint8Array | { readonly data: Uint8Array; readonly sw: number };

/** What an applet may see and do. It reaches its own state and no other's: that is the applet firewall. */
export interface AppletContext<State> {
  readonly aid: Aid;
  /** The Security Domain that the application belongs to. */
  readonly domain: Aid;
  readonly diversificationData: Uint8Array;
  /**
   * The applet's state. Setting it changes non-volatile memory, with everything else that the command
   * changes.
   */
  state: State;
  /** True while the state changes by counting only, so that the owner may store it more cheaply. */
  setCounter(state: State): void;
  /** Makes the changes so far last even when the command fails after it: counters before comparisons. */
  commitNow(): void;
  /** What the applet remembers until it is deselected, per logical channel. */
  memory: unknown;
  /** Security level of the secure channel session that the command came through; 0 without one. */
  readonly securityLevel: number;
  /** Whole blocks decrypted under the session's data encryption key; undefined without a session. */
  decryptSensitive(blocks: Uint8Array): Uint8Array | undefined;
  readonly rng: Rng;
}

/**
 * An applet: a state and how commands change it. Handlers refuse by `refuse(sw)`; the state is immutable and
 * replaced whole, so that a refused command leaves nothing behind.
 */
export interface AppletDefinition<State> {
  readonly module: Aid;
  readonly name: string;
  /** The state of a new instance from its install parameters (the value of C9). */
  install(parameters: Uint8Array, instance: Aid): State;
  /** Proprietary data of the SELECT response (inside A5); none by default. */
  selected?(state: State): Uint8Array;
  process(command: CommandApdu, context: AppletContext<State>): Answer;
  /** One whole personalisation: the data of a STORE DATA sequence. `p1` is that of its last command. */
  store?(data: Uint8Array, p1: number, context: AppletContext<State>): Answer;
  encode(state: State): Uint8Array;
  decode(bytes: Uint8Array): State;
}

/** An applet whose state the card carries without knowing it. */
export interface AppletProgram extends AppletDefinition<unknown> {
  readonly brand: 'AppletProgram';
}

/**
 * Makes an applet known to cards.
 *
 * @example
 * const counter = defineApplet<number>({ module, name: 'counter', install: () => 0, process: (_, context) =>
 * ... });
 */
export function defineApplet<State>(definition: AppletDefinition<State>): AppletProgram {
  // The card gives an applet back only the state that the same applet made, so the type is lost in between
  // and no more.
  const program = definition as unknown as AppletDefinition<unknown>;
  return { ...program, brand: 'AppletProgram' };
}
