import type { Aid, CommandApdu } from '@sefleet/globalplatform';
import type { TelemetryRecord } from '@sefleet/cose';
import type { Rng } from '@sefleet/runtime';

/** What a command gives back: response data with 9000, or with a status word of its own. */
export type Answer = Uint8Array | { readonly data: Uint8Array; readonly sw: number };

/** A reading that has no sequence number yet. */
export type Reading = Omit<TelemetryRecord, 'sequence'>;

/** What may be known of a record account. */
export interface AccountFacts {
  readonly stakeholder: string;
  readonly keyVersion: number;
  readonly endpoint: string;
  /** The sequence number of the last record sealed under it, and of the first; 0 before there is one. */
  readonly sequence: number;
  readonly firstSequence: number;
  /** True when nothing is sealed under it: after a cut-over, or before. */
  readonly closed: boolean;
}

/** A cut-over as the device asks for it. */
export interface HandOverRequest {
  /** The Security Domain that takes over. */
  readonly successor: Aid;
  /** The secret by which its owner lets it happen. */
  readonly activation: Uint8Array;
  readonly reading: Reading;
}

/** One reading, sealed for both stakeholders of a cut-over. */
export interface HandOver {
  readonly closing: Uint8Array;
  readonly opening: Uint8Array;
  /** The sequence number of the opening record. */
  readonly sequence: number;
  /** What the new stakeholder staged for the application. */
  readonly parameters: Uint8Array;
}

/**
 * What Security Domains offer to applications that seal records: under the account of the domain that the
 * application belongs to, or that has taken it over. Keys stay in the domains.
 */
export interface SealingService {
  /** Undefined when the domain has no account. */
  readonly account: AccountFacts | undefined;
  /** The domain whose account it is, or would be. */
  readonly owner: Aid | undefined;
  /**
   * Seals a reading with the next sequence number above `floor`; 6985 when nothing can be sealed.
   */
  seal(reading: Reading, floor: number): { readonly sequence: number; readonly sealed: Uint8Array };
  /** Seals the last record of one stakeholder and the first of the next, and moves on to that one. */
  handOver(request: HandOverRequest, floor: number): HandOver;
}

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
  /** The sealing service of the Security Domains. */
  readonly sealing: SealingService;
  /**
   * True when the command came through a session under the own keys of the domain that records are sealed
   * for: not under keys of a domain above it, and not from a stakeholder that has handed over.
   */
  readonly fromOwner: boolean;
  /**
   * The signature of the Controlling Authority's Security Domain over `message`, as it is: that something comes
   * from this card. ECDSA `r ‖ s` (P-256, SHA-256), or an AES-CMAC where the domain shares keys with its
   * authority; refuses with 6985 where nobody can sign.
   */
  signByAuthority(message: Uint8Array): Uint8Array;
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
