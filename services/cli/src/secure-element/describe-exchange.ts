import { decodeApdu, decodeResponse, describeStatusWord, type CommandApdu } from '@sefleet/globalplatform';
import { isSefleetError } from '@sefleet/errors';
import { toHex } from '@sefleet/bytes';
import { explainAnswer } from './describe-answer.ts';
import { describeCommand, explainCommand } from './describe-command.ts';
import { hexNumber, hexText } from './hex-text.ts';

/** A command APDU and its answer, with what was left out of them. */
export interface CardExchange {
  readonly command: Uint8Array;
  readonly response: Uint8Array;
  /** Bytes of data that are not shown because they are secret. */
  readonly hiddenCommandBytes?: number;
  readonly hiddenResponseBytes?: number;
}

/** An exchange in words. */
export interface ExchangeInWords {
  /** Command and answer in hexadecimal. */
  readonly hex: string;
  readonly responseHex: string;
  /** The command and the answer, a line each. */
  readonly command: string;
  readonly response: string;
  /** What the data of the command and of the answer say. */
  readonly commandMeaning: readonly string[];
  readonly responseMeaning: readonly string[];
}

/** Says what was asked of a card and what it answered. */
export function describeExchange(exchange: CardExchange): ExchangeInWords {
  const { hiddenCommandBytes = 0, hiddenResponseBytes = 0 } = exchange;
  const command = tryDecode(exchange.command);
  const response = decodeResponse(exchange.response);
  const body = hexText(response.data);
  const status = `${hexNumber(response.sw, 2)} ${describeStatusWord(response.sw)}`;
  return {
    hex: toHex(exchange.command),
    responseHex: toHex(exchange.response),
    command:
      (command === undefined ? 'no command APDU' : describeCommand(command)) + leftOut(hiddenCommandBytes),
    response: `${body}${body === '' ? '' : ' '}${status}${leftOut(hiddenResponseBytes)}`,
    commandMeaning: command === undefined || hiddenCommandBytes > 0 ? [] : explainCommand(command),
    responseMeaning: command === undefined ? [] : explainAnswer(command, response),
  };
}

/** An exchange as lines for people. */
export function formatExchange(words: ExchangeInWords): string {
  const indent = (lines: readonly string[]): readonly string[] => lines.map((line) => `    ${line}`);
  return [
    `> ${words.hex.toUpperCase()}`,
    `  ${words.command}`,
    ...indent(words.commandMeaning),
    `< ${words.response}`,
    ...indent(words.responseMeaning),
  ].join('\n');
}

function leftOut(bytes: number): string {
  return bytes === 0 ? '' : ` (${bytes} secret bytes not shown)`;
}

function tryDecode(bytes: Uint8Array): CommandApdu | undefined {
  try {
    return decodeApdu(bytes);
  } catch (error) {
    if (isSefleetError(error)) return undefined;
    throw error;
  }
}
