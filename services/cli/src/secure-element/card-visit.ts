import type { secureElement } from '@sefleet/api';
import { SefleetError } from '@sefleet/errors';
import type { Backend } from '../backend.ts';

/** A card of the running fleet, held until {@link CardVisit.leave}. */
export interface CardVisit {
  readonly answerToReset: Uint8Array;
  /** One command APDU, one response APDU; calls wait for each other. */
  transmit(command: Uint8Array): Promise<Uint8Array>;
  reset(): Promise<void>;
  leave(): void;
}

/** Goes to the card of `endpoint`. @throws SefleetError `SIM_CARD_NOT_FOUND`, `SIM_CARD_IN_USE` */
export async function visitCard(backend: Backend, endpoint: string): Promise<CardVisit> {
  const call = backend.secureElements.openCard();
  const ask = async (action: secureElement.OpenCardRequest['action']): Promise<Uint8Array> => {
    call.send({ action });
    const { value, done } = await call.responses.next();
    if (done === true || value?.result.value === undefined) {
      throw new SefleetError('CLI_CARD_LOST', 'environment', `the card of ${endpoint} has gone away`);
    }
    return value.result.value;
  };
  let last: Promise<unknown> = Promise.resolve();
  const inOrder = (action: secureElement.OpenCardRequest['action']): Promise<Uint8Array> => {
    const answer = last.then(() => ask(action));
    last = answer.catch(() => undefined);
    return answer;
  };
  const answerToReset = await inOrder({ case: 'endpoint', value: endpoint });
  return {
    answerToReset,
    transmit: (command) => inOrder({ case: 'command', value: command }),
    reset: async () => {
      await inOrder({ case: 'reset', value: true });
    },
    leave: () => {
      call.end();
      call.cancel();
    },
  };
}
