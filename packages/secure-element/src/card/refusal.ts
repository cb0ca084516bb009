import { SefleetError } from '@sefleet/errors';

/**
 * How a command handler answers with an error: the card turns it into the status word and drops the
 * transaction.
 */
export class Refusal extends SefleetError {
  readonly sw: number;

  constructor(sw: number) {
    super('SE_STATUS_WORD', 'peer', sw.toString(16));
    this.sw = sw;
  }
}

/** Ends a command with status word `sw`; nothing of its transaction remains. */
export function refuse(sw: number): never {
  throw new Refusal(sw);
}

/** `value`, or the end of the command with `sw` when it is undefined. */
export function orRefuse<T>(value: T | undefined, sw: number): T {
  return value === undefined ? refuse(sw) : value;
}
