import type { Aid, SecureMessaging } from '@sefleet/globalplatform';
import type { Authority } from './authority.ts';

/** An open secure channel session on a logical channel. */
export interface CardSession {
  readonly messaging: SecureMessaging;
  /** The Security Domain whose keys opened it: the one that is selected, or the one that it inherits from. */
  readonly keyOwner: Aid;
  readonly keyVersion: number;
  /** False in SCP11b, where only the card has proven who it is. */
  readonly hostAuthenticated: boolean;
}

/** INITIALIZE UPDATE was answered; EXTERNAL AUTHENTICATE has to follow. */
interface PendingAuthentication extends CardSession {
  readonly hostCryptogram: Uint8Array;
}

/** The commands of one chain so far (ISO/IEC 7816-4 §5.3.3). */
interface CommandChain {
  readonly head: number;
  /** True when each part has secure messaging of its own, which is off already. */
  readonly opened: boolean;
  readonly parts: Uint8Array[];
  length: number;
}

/** A load in progress. */
export interface Loading {
  readonly loadFile: Aid;
  readonly parent: Aid;
  readonly hash: Uint8Array;
  /** Undefined in a combined process, which INSTALL ends: on whose word it is done shows then. */
  readonly authority: Authority | undefined;
  /** What the token at the end of a combined process covers of its beginning. */
  readonly beginning: Uint8Array;
  readonly parts: Uint8Array[];
  length: number;
  /** True when the last block is there and INSTALL has to follow. */
  complete: boolean;
}

/** Between the commands of a key agreement: who was certified, and in scenario #3 the challenge to sign. */
export type PendingAgreement =
  | {
      readonly kind: 'scenario-3';
      readonly domain: Aid;
      readonly providerPoint: Uint8Array;
      readonly challenge: Uint8Array;
    }
  | { readonly kind: 'scp11'; readonly hostPoint: Uint8Array; readonly more: boolean };

/** The volatile state of one logical channel. */
export interface Channel {
  readonly number: number;
  /** What is selected; undefined when that was deleted meanwhile. */
  selected: Aid | undefined;
  session: CardSession | undefined;
  pending: PendingAuthentication | undefined;
  /** The application that STORE DATA goes to, after INSTALL [for personalization]. */
  personalizing: Aid | undefined;
  /** Data of STORE DATA blocks so far, and the number that has to follow. */
  storing: { readonly parts: Uint8Array[]; next: number; length: number } | undefined;
  loading: Loading | undefined;
  /** Where GET STATUS goes on. */
  listing: { readonly key: string; at: number } | undefined;
  chain: CommandChain | undefined;
  /** What GET RESPONSE fetches. */
  remaining: { data: Uint8Array; readonly sw: number } | undefined;
  /** What the selected applet keeps until deselected. */
  appletMemory: unknown;
  agreement: PendingAgreement | undefined;
}

/** A channel with `selected` on it and nothing open. */
export function createChannel(number: number, selected: Aid): Channel {
  return {
    number,
    selected,
    session: undefined,
    pending: undefined,
    personalizing: undefined,
    storing: undefined,
    loading: undefined,
    listing: undefined,
    chain: undefined,
    remaining: undefined,
    appletMemory: undefined,
    agreement: undefined,
  };
}

/** Ends the secure channel session and everything that it allowed. */
export function closeSession(channel: Channel): void {
  channel.session = undefined;
  channel.pending = undefined;
  channel.personalizing = undefined;
  channel.storing = undefined;
  channel.loading = undefined;
  channel.listing = undefined;
  channel.agreement = undefined;
}

/** Puts `selected` on the channel, as SELECT does: sessions and the memory of the one before are gone. */
export function selectOn(channel: Channel, selected: Aid): void {
  closeSession(channel);
  channel.selected = selected;
  channel.appletMemory = undefined;
  channel.chain = undefined;
  channel.remaining = undefined;
}
