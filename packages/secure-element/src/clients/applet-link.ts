import { aidBytes, decodeResponse, encodeApdu, STATUS_WORD } from '@sefleet/globalplatform';
import type { Aid, CommandApdu } from '@sefleet/globalplatform';
import {
  classForChannel,
  describeStatusWord,
  manageChannelCommand,
  selectCommand,
} from '@sefleet/globalplatform';
import { secureElementError } from '../errors.ts';

/** A card in the same process: one command APDU in, one response APDU out. */
export type LocalTransmit = (apdu: Uint8Array) => Uint8Array;

/**
 * An applet on a logical channel of its own, so that it does not disturb whoever manages the card on channel
 * 0. It opens the channel and selects the applet on first use, and again when the card has no such channel
 * any more. Whoever resets a card that others use too drops its links: others may get their channels.
 */
export class AppletLink {
  readonly #transmit: LocalTransmit;
  readonly #application: Aid;
  #channel: number | undefined;

  constructor(transmit: LocalTransmit, application: Aid) {
    this.#transmit = transmit;
    this.#application = application;
  }

  /**
   * Response data of a command to the applet.
   *
   * @throws SefleetError `SE_APPLET_UNAVAILABLE` when the applet cannot be selected, `SE_APPLET_REFUSED` with
   * `sw` in
   *   its context when it answers anything but 9000.
   */
  command(command: CommandApdu): Uint8Array {
    const known = this.#channel !== undefined;
    let response = this.#exchange(this.#channel ?? this.#open(), command);
    if (known && response.sw === STATUS_WORD.CHANNEL_NOT_SUPPORTED) {
      response = this.#exchange(this.#open(), command);
    }
    if (response.sw === STATUS_WORD.OK) return response.data;
    throw secureElementError('SE_APPLET_REFUSED', `the applet answers ${describeStatusWord(response.sw)}`, {
      context: { sw: response.sw, ins: command.ins, application: this.#application },
    });
  }

  /** Gives the logical channel back. */
  close(): void {
    if (this.#channel === undefined) return;
    this.#exchange(0, manageChannelCommand(this.#channel));
    this.#channel = undefined;
  }

  #open(): number {
    const opened = this.#exchange(0, manageChannelCommand());
    const channel = opened.data[0];
    if (opened.sw !== STATUS_WORD.OK || channel === undefined) throw this.#unavailable(opened.sw);
    const selected = this.#exchange(channel, selectCommand(aidBytes(this.#application)));
    if (selected.sw !== STATUS_WORD.OK) {
      this.#exchange(0, manageChannelCommand(channel));
      throw this.#unavailable(selected.sw);
    }
    this.#channel = channel;
    return channel;
  }

  #exchange(channel: number, command: CommandApdu) {
    const apdu = encodeApdu({ ...command, cla: classForChannel(command.cla, channel) });
    let response = decodeResponse(this.#transmit(apdu));
    const parts = [response.data];
    while (response.sw >> 8 === 0x61) {
      const next = {
        cla: classForChannel(0, channel),
        ins: 0xc0,
        p1: 0,
        p2: 0,
        data: new Uint8Array(0),
        le: 0x100,
      };
      response = decodeResponse(this.#transmit(encodeApdu(next)));
      parts.push(response.data);
    }
    return { sw: response.sw, data: parts.length === 1 ? response.data : Buffer.concat(parts) };
  }

  #unavailable(sw: number) {
    return secureElementError('SE_APPLET_UNAVAILABLE', `${this.#application}: ${describeStatusWord(sw)}`, {
      context: { sw, application: this.#application },
    });
  }
}
