import type { common } from '@sefleet/api';
import type { CardDescription } from '@sefleet/secure-element';
import type { CardWatcher } from '../device/card-watch.ts';

/** A card of the fleet, as its doors see it. */
export interface BenchCard {
  readonly endpoint: string;
  readonly kind: common.DeviceKind;
  readonly revision: number;
  /** AIDs of domains and applications, hexadecimal. */
  readonly applications: readonly string[];
  /** What is on the card, without a secret. */
  describe(): CardDescription;
  /** One command on the card's basic channel; a card with the timing of a chip answers later. */
  transmit(command: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** Power off and on: sessions and channels are gone. */
  reset(): void;
  /** Tells `watcher` of what passes, until what it returns is called. @throws SefleetError `SIM_CARD_WATCHED` */
  watch(watcher: CardWatcher): () => void;
  image(): Uint8Array;
  /** Puts the card back from an image of it. @throws SefleetError `SIM_CARD_IMAGE_REFUSED` */
  replace(image: Uint8Array): void;
}

/** The cards of the running fleet. */
export interface CardDirectory {
  /** Endpoint names in order. */
  endpoints(): readonly string[];
  find(endpoint: string): BenchCard | undefined;
}

/**
 * Answer to reset of every card: direct convention, T=1, historical bytes that name the issuer data as
 * GlobalPlatform cards do (ISO 7816-3 §8, ISO 7816-4 §12.1.1); the last byte is the check character.
 */
export const ANSWER_TO_RESET = withCheckCharacter(
  Uint8Array.of(0x3b, 0x88, 0x81, 0x31, 0xfe, 0x73, 0x65, 0x66, 0x6c, 0x65, 0x65, 0x74, 0x31),
);

/** TCK: the exclusive or of all bytes from T0 on is zero (ISO 7816-3 §8.2.5). */
function withCheckCharacter(atr: Uint8Array): Uint8Array {
  return Uint8Array.from([...atr, atr.subarray(1).reduce((sum, octet) => sum ^ octet, 0)]);
}
