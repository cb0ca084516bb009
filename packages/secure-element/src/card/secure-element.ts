import type { Aid, StaticKeys } from '@sefleet/globalplatform';
import type { Rng } from '@sefleet/runtime';
import type { AppletProgram } from '../applets/applet.ts';
import type { CardProfile } from '../profiles/card-profile.ts';
import type { CardAnchor } from './lineage.ts';

/** What makes one card differ from the others of its profile when it leaves the factory. */
export interface CardPersonalisation {
  /** Key diversification data: the 10 bytes that INITIALIZE UPDATE answers first; unique per card. */
  readonly diversificationData: Uint8Array;
  /** Issuer identification number (tag 42), up to 16 bytes. */
  readonly issuerIdentification: Uint8Array;
  /** Card image number (tag 45), up to 16 bytes; unique per card. */
  readonly cardImageNumber: Uint8Array;
  /** The Issuer Security Domain's first keys and their version (30 to 3F for SCP03, or FF). */
  readonly issuerKeys: StaticKeys & { readonly version: number };
}

/** A change of the card's non-volatile memory, told before the response leaves the card. */
export interface Commit {
  /** Counts every change since manufacture; it never runs backwards. */
  readonly revision: number;
  /** Where the card stands after the change: `importCard` refuses images that do not continue from there. */
  readonly anchor: CardAnchor;
  /** `content`: keys, domains, applications, life cycles. `counter`: only counters and registers moved. */
  readonly kind: 'content' | 'counter';
  /**
   * The card as it is after the change, as {@link exportCard} would give it. Costs time: call it only when it
   * is kept.
   */
  image(): Uint8Array;
}

/** What the world gives to a card. */
export interface CardPorts {
  readonly rng: Rng;
  /**
   * Called once per change, before the card answers. When it throws, the power is cut: the card keeps the
   * state from before the change and answers nothing; `transmit` throws what the hook threw.
   */
  readonly onCommit?: (commit: Commit) => void;
  /** Applets beyond those of this room. Hand the same array to all cards of a fleet. */
  readonly applets?: readonly AppletProgram[];
}

/** A virtual secure element: a GlobalPlatform card that speaks APDUs. */
export interface SecureElement {
  readonly profile: CardProfile;
  /** The number of changes of the non-volatile memory so far. */
  readonly revision: number;
  /** Where the card stands now; asking a parked card for it reads its image. */
  readonly anchor: CardAnchor;
  /** Key diversification data, as INITIALIZE UPDATE answers it. */
  readonly diversificationData: Uint8Array;
  /** The AIDs of all Security Domains and applications, for display; their content stays inside. */
  readonly applications: readonly Aid[];
  /**
   * One command APDU in, one response APDU out, whatever comes in: it throws only when `onCommit` does.
   *
   * The response belongs to the caller. `apdu` is not kept. The function may be handed on without its card.
   */
  readonly transmit: (apdu: Uint8Array) => Uint8Array;
  /** Power off and on: closes logical channels and secure sessions, forgets what is volatile. */
  reset(): void;
  /**
   * Gives back the memory that a card at rest does not need: its state is kept as an image until the next
   * command.
   * Logical channels and sessions stay.
   */
  park(): void;
}
