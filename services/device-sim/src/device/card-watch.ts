import { SecretMask, type ShownExchange } from '@sefleet/secure-element';
import { simulationError } from '../errors.ts';

/** Who asks a card: the device itself, a script of its owners, or a visitor (RACS, reader, command line). */
export type CardDoor = 'device' | 'management' | 'visitor';

/** Told of what passes between a card and whoever asks it; it must not throw. */
export interface CardWatcher {
  exchanged(door: CardDoor, exchange: ShownExchange): void;
  /** Power off and on, or another image. */
  wasReset(): void;
  /** The device is gone. */
  ended(): void;
}

/** People at screens, and a tool or two. */
const MAX_WATCHERS = 8;

/** The watchers of one card, and what they are shown. Nothing is kept while nobody watches. */
export class CardWatch {
  readonly #watchers = new Set<CardWatcher>();
  #mask = new SecretMask();

  get isWatched(): boolean {
    return this.#watchers.size > 0;
  }

  /** @returns Ends the watch. @throws SefleetError `SIM_CARD_WATCHED` */
  add(watcher: CardWatcher): () => void {
    if (this.#watchers.size >= MAX_WATCHERS) {
      throw simulationError('SIM_CARD_WATCHED', `${MAX_WATCHERS} callers watch this card already`, {
        hint: 'End one of the other traces first.',
      });
    }
    // What was open before nobody looked is not known.
    if (!this.isWatched) this.#mask = new SecretMask();
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  exchanged(door: CardDoor, command: Uint8Array, response: Uint8Array): void {
    const shown = this.#mask.show(command, response);
    for (const watcher of this.#watchers) watcher.exchanged(door, shown);
  }

  wasReset(): void {
    this.#mask.reset();
    for (const watcher of this.#watchers) watcher.wasReset();
  }

  end(): void {
    for (const watcher of this.#watchers) watcher.ended();
    this.#watchers.clear();
  }
}
