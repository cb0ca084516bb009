import { simulationError } from '../errors.ts';

/** One visitor a card: RACS sessions, card readers and the command line share this list. */
export class Visitors {
  readonly #present = new Map<string, object>();

  /** Takes the card for `visitor`. @throws SefleetError `SIM_CARD_IN_USE` */
  enter(endpoint: string, visitor: object): void {
    const present = this.#present.get(endpoint);
    if (present !== undefined && present !== visitor) {
      throw simulationError('SIM_CARD_IN_USE', `the card of ${endpoint} has a visitor`, {
        context: { endpoint },
        hint: 'End the other session (card reader, RACS client or command line) first.',
      });
    }
    this.#present.set(endpoint, visitor);
  }

  leave(endpoint: string, visitor: object): void {
    if (this.#present.get(endpoint) === visitor) this.#present.delete(endpoint);
  }
}
