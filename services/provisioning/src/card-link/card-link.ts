import { decodeResponse, STATUS_WORD, type Transmit, type TransmitScript } from '@sefleet/globalplatform';
import { provisioningError } from '../errors.ts';

/** A conversation with one card. What lies between (LwM2M, a reader, nothing) does not matter here. */
export interface ApduChannel {
  /**
   * Runs a script. The answers come in order and may be fewer than the commands: the card's first refusal
   * ends a script.
   *
   * @throws SefleetError `PROVISIONING_CARD_TIMEOUT` or `PROVISIONING_LINK_UNAVAILABLE`, fault `environment`.
   */
  exchange(commands: readonly Uint8Array[]): Promise<readonly Uint8Array[]>;
  close(): void;
}

/** The way to the cards of devices. */
export interface CardLinks {
  open(endpoint: string): ApduChannel;
}

/**
 * Speaks to a card. A command that was put ahead travels with the next ones, so that a SELECT costs no round
 * trip of its own.
 */
export class CardConversation {
  readonly #channel: ApduChannel;
  #ahead: Uint8Array | undefined;

  constructor(channel: ApduChannel) {
    this.#channel = channel;
  }

  /** Sends `command` just before the next one; it has to be answered with 9000. */
  putAhead(command: Uint8Array): void {
    this.#ahead = command;
  }

  readonly transmit: Transmit = async (command) => {
    const [answer] = await this.script([command]);
    if (answer !== undefined) return answer;
    throw provisioningError(
      'PROVISIONING_LINK_UNAVAILABLE',
      'the script came back without the answer to its end',
    );
  };

  readonly script: TransmitScript = async (commands) => {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    if (ahead === undefined) return this.#channel.exchange(commands);
    const [first, ...answers] = await this.#channel.exchange([ahead, ...commands]);
    if (first === undefined)
      throw provisioningError('PROVISIONING_LINK_UNAVAILABLE', 'the script came back without an answer');
    const { sw } = decodeResponse(first);
    if (sw !== STATUS_WORD.OK) {
      const context = { sw, ins: ahead[1] };
      throw provisioningError('PROVISIONING_CARD_REFUSED', `SELECT: ${sw.toString(16)}`, { context });
    }
    return answers;
  };
}
