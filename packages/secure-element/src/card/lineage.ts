import { createHash } from 'node:crypto';
import { toHex } from '@sefleet/bytes';
import { secureElementError } from '../errors.ts';

/**
 * One run of a card: from the first change after an image was brought to life until the next image is. No
 * two runs share an identifier, so two copies of one image that both go on are told apart by what each did
 * first.
 */
export interface Life {
  /** Hexadecimal. */
  readonly id: string;
  /** The revision that the card had when the run began. */
  readonly from: number;
}

/**
 * A point in the history of one card, which its owner remembers: it moves with every change of the memory.
 */
export interface CardAnchor {
  /** Key diversification data, hexadecimal: which card. */
  readonly card: string;
  readonly revision: number;
  /** The run in which the card reached that revision, hexadecimal. */
  readonly life: string;
}

/** What an image says of the history of its card. */
export interface Lineage {
  readonly diversificationData: Uint8Array;
  readonly revision: number;
  /** The newest last. */
  readonly lives: readonly Life[];
}

/** Runs that a card remembers; the oldest goes first. 14 bytes each in an image. */
export const MAX_LIVES = 16;
export const LIFE_ID_LENGTH = 8;

/** The run that begins in the factory: cards differ by their diversification data. */
export function factoryLife(diversificationData: Uint8Array): Life {
  const digest = createHash('sha256').update('sefleet card life').update(diversificationData).digest();
  return { id: toHex(digest.subarray(0, LIFE_ID_LENGTH)), from: 0 };
}

/** The runs once one more begins at `from`. */
export function withLife(lives: readonly Life[], id: Uint8Array, from: number): readonly Life[] {
  return [...lives.slice(1 - MAX_LIVES), { id: toHex(id), from }];
}

/** Where a card with this history stands. */
export function anchorOf({ diversificationData, revision, lives }: Lineage): CardAnchor {
  return { card: toHex(diversificationData), revision, life: lives.at(-1)?.id ?? '' };
}

/**
 * Refuses an image that does not continue what `anchor` remembers.
 *
 * @throws SefleetError `SE_IMAGE_FOREIGN`, `SE_IMAGE_ROLLED_BACK` or `SE_IMAGE_FORKED`.
 */
export function checkDescent(image: Lineage, anchor: CardAnchor): void {
  const present = anchorOf(image);
  const context = { image: present, anchor };
  if (present.card !== anchor.card) {
    throw secureElementError('SE_IMAGE_FOREIGN', 'the image is of another card', { context });
  }
  if (image.revision < anchor.revision) {
    throw secureElementError('SE_IMAGE_ROLLED_BACK', 'the image is older than the card', {
      context,
      hint: 'Restore the newest image; a card that goes back would use sequence numbers and keys again.',
    });
  }
  const at = image.lives.findIndex((life) => life.id === anchor.life);
  const until = at < 0 ? -1 : (image.lives[at + 1]?.from ?? image.revision);
  if (until >= anchor.revision) return;
  throw secureElementError('SE_IMAGE_FORKED', 'the image comes from a copy that went its own way', {
    context: { ...context, leftAt: until < 0 ? undefined : until },
    hint: 'Card and copy have both changed since then and used the same numbers; go on with the card as it is.',
  });
}
